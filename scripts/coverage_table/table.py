"""Page of the table, docs/coverage.md, made from the records alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.basis import basis
from scripts.coverage_table.record import Cell, Key
from scripts.coverage_table.registry import ARCHITECTURES, FAMILIES, architectures

BACKENDS = ("executorch", "onnx", "tflite")
PRECISIONS = ("int8", "float32", "dynamic-int8", "weight-only-int4", "float16", "weight-only-int8")
GOOD_DB = 25.0
LEAST = 0.005
"""Share that is shown."""
INTRODUCTION = """# Coverage

Architecture × backend × precision as `scripts/coverage` measured it: a cell is a build for the host by the profile of
that name (`int8` is `host-int8`, `weight-only-int8` is `dynamic-int8` with `quantize.mode = "weight-only"`). The script
writes this page from [coverage.jsonl](coverage.jsonl), which has every figure, every message whole, and the versions.
It measures what is missing or out of date; `--only`, `--backend` and `--precision` choose.

Definitions are the project's own (`scripts/coverage_table/architectures`), smaller than the networks whose name they
have, with the same operators. Weights are trained for seconds, the longest for a minute and a half; random with a head
that is fitted to labels; or random: these say that operators are converted, and little about accuracy.
"""
LEGEND = """
A cell has: SQNR in dB against eager torch, of the worst output, on samples that nothing was calibrated with; share of
multiply-accumulates in integers, `of` those that the runtime has in integers at all / of weights; share of
multiply-accumulates on fallback kernels / of bytes; file's size to the float file's; calls of delegates + of kernels
outside of them (of all kernels with onnx, whose CPU provider has no delegates); metric of the file and of eager torch.
**Bold** is a refusal with its code, `!` a cell whose gates on answers failed (`accuracy_drop`, `agreement`), `?` one
whose `agreement` failed by so few samples that it may be chance, `…` one that is not measured yet.
"""
ANSWERS = ("accuracy_drop", "agreement")


def page(cells: Mapping[Key, Cell]) -> str:
    """Text of docs/coverage.md."""
    parts = [INTRODUCTION, _summary(cells), LEGEND]
    for precision in PRECISIONS:
        parts.append(f"\n## {precision}\n")
        for family in FAMILIES:
            parts += [f"\n### {family}, {precision}\n", _table(architectures(family), precision, cells)]
    parts += [
        "\n## Why cells do not work\n",
        _reasons(cells.values()),
        "\n## Architectures\n",
        _architectures(),
        basis(cells.values()),
    ]
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _summary(cells: Mapping[Key, Cell]) -> str:
    rows = [
        "| | measured | work | refused | crashed or without end | of those that work, 25 dB or gates hold |",
        "|---|---|---|---|---|---|",
    ]
    for precision in PRECISIONS:
        for backend in BACKENDS:
            known = [cells[name, backend, precision] for name in ARCHITECTURES if (name, backend, precision) in cells]
            if not known:
                continue
            working = [cell for cell in known if cell.outcome == "works"]
            refused = sum(cell.outcome == "refused" for cell in known)
            good = sum(map(_good, working))
            rows.append(
                f"| {precision}, {backend} | {len(known)} of {len(ARCHITECTURES)} | {len(working)} | {refused} "
                f"| {len(known) - len(working) - refused} | {good} |"
            )
    return "\n".join(rows)


def _good(cell: Cell) -> bool:
    """True if its answers are near the float network's, or its metric and agreement within the profile's gates."""
    near = cell.sqnr_db is None or cell.sqnr_db >= GOOD_DB
    return near or bool(cell.metric and not set(ANSWERS) & set(cell.failed))


def _table(rows: Iterable[Architecture], precision: str, cells: Mapping[Key, Cell]) -> str:
    lines = [f"| | {' | '.join(BACKENDS)} |", "|---|---|---|---|"]
    for each in rows:
        texts = [_cell(cells.get((each.name, backend, precision))) for backend in BACKENDS]
        lines.append(f"| {each.name} | {' | '.join(texts)} |")
    return "\n".join(lines)


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "…"
    if cell.outcome != "works":
        return f"**{cell.code or cell.outcome}**"
    quality = "equal" if cell.sqnr_db is None else f"{cell.sqnr_db:.1f} dB"
    moved = "" if cell.fallback_bytes is None else f" / {cell.fallback_bytes:.1%}"
    metric = "" if cell.reference is None else f"; {cell.metric} {_figure(cell.candidate)} of {_figure(cell.reference)}"
    lost = set(ANSWERS) & set(cell.failed)
    mark = "" if not lost else " ?" if lost <= set(cell.undecided) else " !"
    parts = f"{cell.delegates} + {cell.kernels}" if cell.backend != "onnx" else f"{cell.kernels}"
    possible = f" of {1 - cell.float_only:.0%}" if cell.float_only >= LEAST else ""
    integer = f"{cell.integer_macs:.0%}{possible} / {cell.integer_weights:.0%}"
    return f"{quality}{mark}; {integer}; {cell.fallback:.1%}{moved}; {cell.size_ratio:.2f}; {parts}{metric}"


def _figure(value: float | None) -> str:
    return "?" if value is None else f"{value:.3g}"


def _reasons(cells: Iterable[Cell]) -> str:
    """Row for each reason, with the cells that it stops: those that no person could act on come first."""
    failed = [cell for cell in cells if cell.outcome != "works"]
    grouped: dict[tuple[bool, str, str], list[Cell]] = {}
    for cell in failed:
        grouped.setdefault((not cell.opaque, cell.code or cell.outcome, _short(cell.message)), []).append(cell)
    if not failed:
        return "Every cell that was measured works."
    lines = ["| | reason | cells |", "|---|---|---|"]
    for (clear, code, reason), stopped in sorted(
        grouped.items(), key=lambda item: (item[0][0], -len(item[1]), item[0])
    ):
        where = Counter(f"{cell.backend} {cell.precision}" for cell in stopped)
        names = sorted({cell.architecture for cell in stopped})
        places = ", ".join(f"{place} ({count})" if count > 1 else place for place, count in where.items())
        mark = "" if clear else ", opaque"
        lines.append(f"| {code}{mark} | {reason} | {', '.join(names)}: {places} |")
    return "\n".join(lines)


def _short(message: str) -> str:
    """The first 300 characters, in a line that a table can hold."""
    line = " ".join(message.split()).replace("|", "\\|").replace("<", "&lt;")
    return line if len(line) <= 300 else f"{line[:300]} …"


def _architectures() -> str:
    lines = ["| | family | size, and what differs | weights |", "|---|---|---|---|"]
    for family in FAMILIES:
        lines += [f"| {each.name} | {family} | {each.note} | {each.weights} |" for each in architectures(family)]
    return "\n".join(lines)
