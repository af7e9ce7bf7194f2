"""Measure, and write the tables of docs/accelerators.md: `python -m scripts.accelerator_table [KIND…]`.

`networks [NAME…]` in place of kinds measures the table of networks. What is not named, if anything is, stays there.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edgekit import user_paths
from edgekit.specs.accelerator_kind import KINDS
from scripts.accelerator_table import network_table
from scripts.accelerator_table.cell import Cell, cells
from scripts.accelerator_table.files import Files
from scripts.accelerator_table.network_files import NetworkFiles
from scripts.accelerator_table.outcome import Absent, Outcome, early, outcomes
from scripts.accelerator_table.table import recorded, write


def main(kinds: Sequence[str]) -> int:
    """Exit code: 0, or 3 where something is missing here that the table needs."""
    if kinds[:1] == ["networks"]:
        return networks(kinds[1:])
    known = recorded() if kinds else {}
    results: dict[Cell, Outcome] = {cell: outcome for cell in cells() if (outcome := early(cell))}
    results |= {cell: Outcome(words) for cell, words in known.items() if cell.kind not in kinds and cell not in results}
    with tempfile.TemporaryDirectory() as scratch:
        files = Files(Path(scratch))
        for kind in KINDS:
            try:
                results |= outcomes(
                    kind, [each for each in cells() if each.kind == kind and each not in results], files
                )
            except Absent as error:
                print(f"{kind}: {error}", file=sys.stderr)
                return 3
            print(
                kind, {str(key): value.words for key, value in results.items() if f"-{kind}-" in str(key)}, flush=True
            )
    write({cell: results[cell] for cell in cells()})
    return 0


def networks(names: Sequence[str]) -> int:
    """Measure rows of the table of networks, and write each as soon as it is known. Exit code as `main`."""
    work = user_paths.cache() / "coverage"
    work.mkdir(parents=True, exist_ok=True)
    for network in network_table.wanted(names):
        files = NetworkFiles(network, work)
        for variant in network.variants:
            try:
                row = network_table.measured(files, variant)
            except Absent as error:
                print(f"{variant.kind}: {error}", file=sys.stderr)
                return 3
            print(*row, sep=" | ", flush=True)
            network_table.write([row])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
