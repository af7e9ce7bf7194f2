"""`scripts/bench vendor --architecture NAME`: compares what is not compared yet, and writes docs/vendors.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from operator import itemgetter

from edgekit import user_paths
from scripts.coverage_table.campaign import Campaign, preload
from scripts.coverage_table.cell import ROOT, commit, source
from scripts.coverage_table.record import Key, read, read_as, write
from scripts.coverage_table.registry import ARCHITECTURES
from scripts.vendor_table.cell import COUNTING, compare_in_process
from scripts.vendor_table.comparison import VendorComparison
from scripts.vendor_table.page import BACKENDS, page
from scripts.vendor_table.reasons import reason

RECORDS, PAGE = ROOT / "docs" / "vendors.jsonl", ROOT / "docs" / "vendors.md"
ALL, TABLE = "all", "table"
NAMED = {ALL, TABLE, *ARCHITECTURES}
"""What `--architecture` takes."""
QUICKEST = ("onnx", "tflite", "executorch")
"""Backends in the order of measuring."""


def run(
    names: Sequence[str], backends: Sequence[str], precisions: Sequence[str], limit_s: float, counting: bool
) -> None:
    """Compare architectures by name, `all` for each, one cell at a time, all of a backend in one process.

    Those that coverage built quickest come first. Nothing else may run where times are taken. limit_s: seconds a cell
    may take. counting: instructions are counted, too. `table` alone writes the page.
    """
    work = user_paths.cache() / "coverage"
    work.mkdir(parents=True, exist_ok=True)
    records = work / "comparisons.jsonl"
    write(records, {**read_as(VendorComparison, RECORDS), **read_as(VendorComparison, records)}.values())
    if list(names) != [TABLE]:
        (work / COUNTING).touch() if counting else (work / COUNTING).unlink(missing_ok=True)
        picked = list(ARCHITECTURES) if ALL in names else list(names)
        sources = {name: source(architecture) for name, architecture in ARCHITECTURES.items()}
        preload(work.resolve())
        campaign = Campaign(
            records, work.resolve(), limit_s, 1, compare_in_process, sources, VendorComparison, commit(), itemgetter(1)
        )  # fmt: skip
        campaign.run(ordered(picked, backends or BACKENDS, precisions or ["int8"]))
    comparisons = {
        key: replace(each, reason=reason(each) if each.behind else "")
        for key, each in read_as(VendorComparison, records).items()
    }
    write(RECORDS, comparisons.values())
    PAGE.write_text(page(comparisons), "utf-8")


def ordered(names: Iterable[str], backends: Iterable[str], precisions: Iterable[str]) -> list[Key]:
    """Cells in the order of measuring: by backend, and there by the time that coverage took."""
    cells = read(ROOT / "docs" / "coverage.jsonl")
    keys = [(name, backend, precision) for name in names for backend in backends for precision in precisions]
    seconds = {key: cells[key].seconds if key in cells else float("inf") for key in keys}
    return sorted(keys, key=lambda key: (QUICKEST.index(key[1]), seconds[key]))
