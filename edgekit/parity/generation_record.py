"""Record of generation for reports: time to the first token, pace, memory, and share of the bandwidth."""

from __future__ import annotations

from pydantic import Field

from edgekit.ir.generation import Generation, GenerationRun
from edgekit.ir.record import Record
from edgekit.parity.statistics.percentiles import percentile_ns


class CacheMemory(Record):
    """Resident memory when the cache holds so many tokens."""

    tokens: int
    rss_bytes: int | None
    """Memory of the process in bytes; null where the system does not say."""


class TokenPace(Record):
    """Pace of generation with one number of threads. Times are left out on an emulated device."""

    threads: int
    valid: bool
    """True if the times may be quoted, by the rules of latency (docs/probe.md)."""
    reason: str | None = None
    texts: int
    tokens: int
    """Times between two tokens that were measured."""
    first_token_p50_ns: int | None = None
    """Median time to the first token, which is reading the prompt."""
    cold_first_token_ns: int | None = None
    """Time to the first token of the first text after loading."""
    token_p50_ns: int | None = None
    token_p90_ns: int | None = None
    token_p99_ns: int | None = None
    """Percentiles of the time from one token to the next; left out where too few were measured (LoadGen's rule)."""
    tokens_per_s: float | None = None
    """Tokens that follow the first, over the time that they took."""
    prompt_instructions: int | None = Field(None, ge=0)
    """Instructions of reading the prompt, in user space; left out where the kernel counts none."""
    token_instructions: int | None = Field(None, ge=0)
    """Instructions of reading one token behind it: the least of eight."""
    load_ns: int
    peak_rss_bytes: int | None
    copied_bytes_per_s: float | None = Field(None, gt=0)
    """Bandwidth of the memory with as many threads, by copying."""
    bandwidth_share: float | None = None
    """Bytes that a token reads, times tokens a second, over that bandwidth."""


class GenerationRecord(Record):
    """Generation of a text on the device."""

    prompt_tokens: int
    tokens: tuple[int, ...]
    """Tokens that follow the prompt, each the most likely one."""
    text: str | None = None
    """Text of these tokens; left out without a tokenizer that can be read here."""
    bytes_per_token: int
    """Bytes that a token reads at most: the model's files, and its cache."""
    model_bytes: int
    state_bytes: int
    fits_cache: bool
    """True if the processor's largest cache can hold them: the bandwidth of the memory is then no bound."""
    memory: tuple[CacheMemory, ...]
    """Memory as the cache grows, with the first number of threads."""
    runs: tuple[TokenPace, ...] = Field(min_length=1)


def generation_record(generation: Generation) -> GenerationRecord:
    """Summarize a generation."""
    read = generation.model_bytes + generation.state_bytes
    return GenerationRecord(
        prompt_tokens=generation.prompt_tokens,
        tokens=generation.tokens,
        text=generation.text,
        bytes_per_token=read,
        model_bytes=generation.model_bytes,
        state_bytes=generation.state_bytes,
        fits_cache=read <= generation.last_cache_bytes,
        memory=tuple(CacheMemory(tokens=n, rss_bytes=rss) for n, rss in generation.runs[0].memory.items()),
        runs=tuple(_pace(run, read, generation.emulated) for run in generation.runs),
    )


def _pace(run: GenerationRun, bytes_per_token: int, emulated: bool) -> TokenPace:
    rate = 1e9 * len(run.token_ns) / float(run.token_ns.sum()) if len(run.token_ns) else None
    bandwidth = None if emulated else run.copied_bytes_per_s
    return TokenPace(
        threads=run.threads,
        valid=run.validity.valid,
        reason=run.validity.reason,
        texts=len(run.first_token_ns),
        tokens=len(run.token_ns),
        first_token_p50_ns=percentile_ns(run.first_token_ns, 50),
        cold_first_token_ns=None if emulated else run.cold_first_token_ns,
        token_p50_ns=percentile_ns(run.token_ns, 50),
        token_p90_ns=percentile_ns(run.token_ns, 90),
        token_p99_ns=percentile_ns(run.token_ns, 99),
        tokens_per_s=rate,
        prompt_instructions=run.prompt_instructions,
        token_instructions=run.token_instructions,
        load_ns=run.load_ns,
        peak_rss_bytes=run.peak_rss_bytes,
        copied_bytes_per_s=bandwidth,
        bandwidth_share=None if rate is None or not bandwidth else rate * bytes_per_token / bandwidth,
    )
