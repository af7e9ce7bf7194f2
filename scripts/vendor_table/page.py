"""Page of the comparisons, docs/vendors.md, made from the records alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from scripts.coverage_table.basis import basis
from scripts.coverage_table.record import Key
from scripts.coverage_table.registry import ARCHITECTURES, FAMILIES, architectures
from scripts.vendor_table.comparison import SIZE, SQNR_DB, TIME, VendorComparison, decibels

BACKENDS = ("executorch", "onnx", "tflite")
PRECISIONS = ("int8", "dynamic-int8")
INTRODUCTION = f"""# Beside the vendors' plain recipes

int8 by edgekit (`int8` is the profile `host-int8`) beside the recipe that each backend's documentation gives, from the
same float program, with the same calibration samples, in one process, as `scripts/bench vendor --architecture NAME`
measured it: XNNPACK's quantizer per channel for executorch, `quantize_static` by minimum and maximum for onnx,
litert-torch's quantizer for tflite; for `dynamic-int8` their dynamic recipes. The script writes this page from
[vendors.jsonl](vendors.jsonl), measures what is missing, and goes on where it was stopped. Architectures are those of
[coverage](coverage.md).

Of each pair the first figure is edgekit's. SQNR is of the worst output against eager torch, on samples that nothing was
calibrated with. Time is of one thread of this machine, both files taking turns of 20 ms, from float values to float
values: the rounding that a file's integer edges leave to its caller counts. None of these networks is preprocessed. The
ratio is edgekit's time to the vendor's, with its 95 % interval. Parts are delegates + kernels outside of them; of onnx,
all kernels. **Bold** is where edgekit's file is worse: by more than {SQNR_DB} dB at the near end of the 95 % interval
(paired bootstrap over samples), {100 * (TIME - 1):.0f} % of time at the near end of its interval, or
{100 * (SIZE - 1):.0f} % and 1 kB of size.
"""


def page(records: Mapping[Key, VendorComparison]) -> str:
    """Text of docs/vendors.md."""
    parts = [INTRODUCTION, _instructions(records), _summary(records)]
    for precision in PRECISIONS:
        if any(key[2] == precision for key in records):
            parts += [f"\n## {precision}\n", _rows(precision, records)]
    behind = [record for record in _ordered(records) if record.behind]
    parts += ["\n## Where edgekit's file is worse\n", _behind(behind)]
    failed = [record for record in _ordered(records) if record.outcome != "works" or record.vendor_error]
    parts += ["\n## What could not be compared\n", _failures(failed), basis(records.values())]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _instructions(records: Mapping[Key, VendorComparison]) -> str:
    """Sentence on the column of instructions, and on what it lacks."""
    counted = sum(record.instructions > 0 for record in records.values())
    told = f"Instructions are those of an emulated cortex-a76, which {counted} of {len(records)} cells have"
    if counted == len(records):
        return f"{told}.\n"
    return f"{told}:\na count needs a booted board and a runner there, minutes of a core for each cell.\n"


def _ordered(records: Mapping[Key, VendorComparison]) -> list[VendorComparison]:
    keys = [(name, backend, precision) for precision in PRECISIONS for name in ARCHITECTURES for backend in BACKENDS]
    return [records[key] for key in keys if key in records]


def _summary(records: Mapping[Key, VendorComparison]) -> str:
    lines = ["| | measured | the vendor fails | at least as good | worse in |", "|---|---|---|---|---|"]
    for precision in PRECISIONS:
        for backend in BACKENDS:
            known = [each for each in records.values() if (each.backend, each.precision) == (backend, precision)]
            if not known:
                continue
            both = [each for each in known if each.compared]
            good = sum(not each.behind for each in both)
            columns = ("SQNR", "size", "time", "instructions")
            counts = {column: sum(column in each.behind for each in both) for column in columns}
            worse = ", ".join(f"{column} {count}" for column, count in counts.items() if count) or "nothing"
            failures = sum(bool(each.vendor_error) for each in known)
            lines.append(
                f"| {precision}, {backend} | {len(known)} of {len(ARCHITECTURES)} | {failures} "
                f"| {good} of {len(both)} | {worse} |"
            )
    return "\n".join(lines)


def _rows(precision: str, records: Mapping[Key, VendorComparison]) -> str:
    lines = [
        "| | backend | SQNR | size, bytes | time | median, µs | parts | instructions | verdict |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for family in FAMILIES:
        for each in architectures(family):
            known = [(each.name, backend, precision) for backend in BACKENDS]
            lines += [_row(records[key]) for key in known if key in records]
    return "\n".join(lines)


def _row(record: VendorComparison) -> str:
    head = f"| {record.architecture} | {record.backend} |"
    if record.outcome != "works":
        return f"{head} {record.code or record.outcome} | | | | | | not compared |"
    ours = (decibels(record.sqnr_db), f"{record.size_bytes:,}", "", "", record.fragments, "")
    if record.vendor_error:
        return f"{head} {' | '.join(ours)} | the vendor fails |"
    low, high = (f"{end:.2f}" for end in record.time_ratio[1:])
    counts = f"{record.instructions:,} / {record.vendor_instructions:,}" if record.instructions else ""
    cells = {
        "SQNR": f"{decibels(record.sqnr_db)} / {decibels(record.vendor_sqnr_db)}",
        "size": f"{record.size_bytes:,} / {record.vendor_size_bytes:,}",
        "time": f"{record.time_ratio[0]:.2f} ({low} to {high})",
        "median": f"{_microseconds(record.median_us)} / {_microseconds(record.vendor_median_us)}",
        "parts": f"{record.fragments} / {record.vendor_fragments}",
        "instructions": counts,
    }
    marked = [f"**{text}**" if name in record.behind else text for name, text in cells.items()]
    verdict = f"worse: {', '.join(record.behind)}" if record.behind else "at least as good"
    return f"{head} {' | '.join(marked)} | {verdict} |"


def _microseconds(value: float) -> str:
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def _behind(records: Iterable[VendorComparison]) -> str:
    lines = [
        f"| {each.architecture} | {each.backend}, {each.precision} | {', '.join(each.behind)} "
        f"| {each.reason or 'not known'} |"
        for each in records
    ]
    return "\n".join(["| | | worse in | reason |", "|---|---|---|---|", *lines]) if lines else "Nowhere."


def _failures(records: Iterable[VendorComparison]) -> str:
    lines = [f"| {each.architecture} | {each.backend}, {each.precision} | {_failure(each)} |" for each in records]
    return "\n".join(["| | | |", "|---|---|---|", *lines]) if lines else "Nothing."


def _failure(record: VendorComparison) -> str:
    told = (
        f"the vendor fails: {record.vendor_error}"
        if record.vendor_error
        else f"edgekit: {record.outcome} {record.code} {record.message}"
    )
    line = " ".join(told.split()).replace("|", "\\|").replace("<", "&lt;")
    return line if len(line) <= 240 else f"{line[:240]} …"
