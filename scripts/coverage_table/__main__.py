"""`scripts/coverage`: measures the cells that are not measured yet, and writes docs/coverage.md."""

from __future__ import annotations

import argparse
from pathlib import Path

from edgekit import user_paths
from scripts.coverage_table.campaign import Campaign, answer, chosen, preload
from scripts.coverage_table.cell import BACKENDS, PRECISIONS, ROOT, commit, source
from scripts.coverage_table.record import read, write
from scripts.coverage_table.registry import ARCHITECTURES
from scripts.coverage_table.table import page

RECORDS, PAGE = ROOT / "docs" / "coverage.jsonl", ROOT / "docs" / "coverage.md"


def main() -> None:
    parser = argparse.ArgumentParser(prog="scripts/coverage", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(ARCHITECTURES), help="architectures; all by default")
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--precision", action="append", choices=list(PRECISIONS))
    parser.add_argument("--table", action="store_true", help="write the page from the records, measure nothing")
    parser.add_argument("--at-once", type=int, default=2, help="cells at a time")
    parser.add_argument("--limit", type=float, default=300.0, help="seconds a cell may take")
    parser.add_argument("--work", type=Path, default=user_paths.cache() / "coverage", help="finished stages")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    records = args.work / "cells.jsonl"
    write(records, {**read(RECORDS), **read(records)}.values())
    if not args.table:
        sources = {name: source(architecture) for name, architecture in ARCHITECTURES.items()}
        preload(args.work.resolve())
        campaign = Campaign(records, args.work.resolve(), args.limit, args.at_once, answer, sources, commit=commit())
        campaign.run(chosen(args.only or [], args.backend or [], args.precision or []))
    cells = read(records)
    write(RECORDS, cells.values())
    PAGE.write_text(page(cells), "utf-8")


if __name__ == "__main__":
    main()
