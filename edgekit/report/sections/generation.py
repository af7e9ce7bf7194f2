"""Section on generation: first token, pace and memory of a language model on the device."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.ir.plural import counted
from edgekit.parity.gate_texts import decimal, megabytes, milliseconds, percent
from edgekit.parity.generation_record import GenerationRecord, TokenPace
from edgekit.report.sections.section import Row, Section, section

HEADER = ("threads", "first token", "token p50", "p90", "p99", "tokens a second", "of the bandwidth", "peak memory", "")


def generation(record: GenerationRecord | None) -> Section | None:
    """Section on a generated text; None where none was asked for."""
    if record is None:
        return None
    shown = record.text if record.text is not None else " ".join(map(str, record.tokens))
    first = (f"Behind a prompt of {counted(record.prompt_tokens, 'token')} it wrote {len(record.tokens)}: {shown}",)
    return section("Generation", HEADER, map(_row, record.runs), _notes(record), first=first)


def _row(run: TokenPace) -> Row:
    return (
        str(run.threads),
        _time(run.first_token_p50_ns),
        *map(_time, (run.token_p50_ns, run.token_p90_ns, run.token_p99_ns)),
        "-" if run.tokens_per_s is None else decimal(run.tokens_per_s, 1),
        "-" if run.bandwidth_share is None else percent(round(run.bandwidth_share, 3)),
        "unknown" if run.peak_rss_bytes is None else megabytes(run.peak_rss_bytes / 1e6),
        "VALID" if run.valid else f"INVALID: {run.reason}",
    )


def _time(value_ns: int | None) -> str:
    return "-" if value_ns is None else milliseconds(value_ns / 1e6)


def _notes(record: GenerationRecord) -> Iterable[str]:
    known = [place for place in record.memory if place.rss_bytes is not None]
    if known:
        start, end = known[0], known[-1]
        words = f"{megabytes((start.rss_bytes or 0) / 1e6)} at {counted(start.tokens, 'token')}"
        yield f"Resident memory as the cache grows: {words}, {megabytes((end.rss_bytes or 0) / 1e6)} at {end.tokens}."
    read = f"{megabytes(record.bytes_per_token / 1e6)} at most: {megabytes(record.model_bytes / 1e6)} of the model's"
    yield f"A token reads {read} files, {megabytes(record.state_bytes / 1e6)} of its cache."
    speeds = [f"{run.copied_bytes_per_s / 1e9:.1f} GB/s" for run in record.runs if run.copied_bytes_per_s]
    if speeds:
        bound = (
            "the processor's cache can hold both, so it is no bound"
            if record.fits_cache
            else "what a token reads, over that, is the least time that it takes"
        )
        yield f"Bandwidth of the memory by copying: {', '.join(speeds)}; {bound}."
    first = record.runs[0]
    if first.token_instructions is not None:
        words = f"{first.prompt_instructions:,} for the prompt, {first.token_instructions:,} a token behind it"
        yield f"Instructions with {counted(first.threads, 'thread')}: {words}."
    if any(run.tokens and run.token_p99_ns is None for run in record.runs):
        yield "A 99th percentile needs 662 tokens, a 90th 64: --min-count."
