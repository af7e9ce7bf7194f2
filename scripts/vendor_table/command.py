"""`scripts/bench vendor --architecture NAME`: compares what is not compared yet, and writes docs/vendors.md."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit import user_paths
from scripts.coverage_table.campaign import Campaign, chosen, preload
from scripts.coverage_table.cell import ROOT, source
from scripts.coverage_table.record import read_as, write
from scripts.coverage_table.registry import ARCHITECTURES
from scripts.vendor_table.cell import COUNTING, compare_in_process
from scripts.vendor_table.comparison import VendorComparison
from scripts.vendor_table.page import BACKENDS, page

RECORDS, PAGE = ROOT / "docs" / "vendors.jsonl", ROOT / "docs" / "vendors.md"
ALL, TABLE = "all", "table"
NAMED = {ALL, TABLE, *ARCHITECTURES}
"""What `--architecture` takes."""


def run(
    names: Sequence[str], backends: Sequence[str], precisions: Sequence[str], limit_s: float, counting: bool
) -> None:
    """Compare architectures by name, `all` for each, one cell at a time: nothing else may run where times are taken.

    limit_s: seconds a cell may take. counting: instructions are counted, too. `table` alone writes the page.
    """
    work = user_paths.cache() / "coverage"
    work.mkdir(parents=True, exist_ok=True)
    records = work / "comparisons.jsonl"
    write(records, {**read_as(VendorComparison, RECORDS), **read_as(VendorComparison, records)}.values())
    if list(names) != [TABLE]:
        (work / COUNTING).touch() if counting else (work / COUNTING).unlink(missing_ok=True)
        picked = [] if ALL in names else list(names)
        sources = {name: source(architecture) for name, architecture in ARCHITECTURES.items()}
        preload(work.resolve())
        campaign = Campaign(records, work.resolve(), limit_s, 1, compare_in_process, sources, VendorComparison)
        campaign.run(chosen(picked, list(backends) or list(BACKENDS), list(precisions) or ["int8"]))
    comparisons = read_as(VendorComparison, records)
    write(RECORDS, comparisons.values())
    PAGE.write_text(page(comparisons), "utf-8")
