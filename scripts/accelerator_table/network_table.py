"""Table of networks in docs/accelerators.md: how near an accelerator's answers are to the float network's."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edgekit.errors import EdgekitError
from scripts.accelerator_table.document import DOCUMENT, Section
from scripts.accelerator_table.network_files import NetworkFiles
from scripts.accelerator_table.networks import NETWORKS, Network, Variant
from scripts.accelerator_table.outcome import answers, options_of, refused

SECTION = Section("networks")
HEAD = "| network | activations | accelerator | CPU | there | from the CPU's | operators there |"
LIMIT_S = 1800
"""Seconds that one cell may take: an emulated NPU takes minutes for a vision transformer."""


class Row(NamedTuple):
    """Row of the table, in words."""

    network: str
    numbers: str
    accelerator: str
    cpu: str
    """SQNR of the CPU's answers from the float network's; `refused` with a code in place of a number."""
    there: str
    alike: str
    operators: str

    @property
    def loss_db(self) -> float | None:
        """dB that the accelerator loses against the CPU; None for a row that did not run."""
        return None if not self.there.endswith("dB") else _number(self.cpu) - _number(self.there)

    @property
    def there_db(self) -> float | None:
        """SQNR of the accelerator's answers from the float network's; None for a row that did not run."""
        return None if not self.there.endswith("dB") else _number(self.there)


def measured(files: NetworkFiles, variant: Variant) -> Row:
    """Build and run one row. Raises Absent if nothing is here to run it."""
    begin = files.network.title, variant.numbers, variant.title
    options = (*options_of(variant.kind, variant.chip), f"time_limit={LIMIT_S // 2}")
    try:
        with files.lowered(variant) as (folder, samples):
            (answer,) = answers(variant.kind, [folder], samples, options, LIMIT_S)
    except EdgekitError as error:
        return Row(*begin, "", f"refused, {error.code}", "", str(error))
    if failed := refused(answer):
        return Row(*begin, "", f"refused, {failed.words}", "", failed.sentence)
    left = ", ".join(f"{count} {kind}" for kind, count in answer["left"])
    taken = f"{answer['taken']} of {answer['operators']}"
    cpu, there, alike = (_words(answer.get(name)) for name in ("cpu_db", "there_db", "sqnr_db"))
    return Row(*begin, cpu, there, alike, f"all {taken.split()[0]}" if not left else f"{taken}; left: {left}")


def wanted(names: Sequence[str]) -> list[Network]:
    """Networks that are named, all without names, in the table's order."""
    return [each for each in NETWORKS if not names or each.name in names]


def recorded(document: Path = DOCUMENT) -> list[Row]:
    """Rows that the document has."""
    lines = SECTION.read(document).splitlines()[2:]
    return [Row(*(part.strip() for part in line.strip("|").split(" | "))) for line in lines]


def write(rows: Sequence[Row], document: Path = DOCUMENT) -> None:
    """Replace the rows of the document that are measured anew, and keep the others."""
    table = {row[:3]: row for row in (*recorded(document), *rows)}
    order = [(network.title, variant.numbers, variant.title) for network in NETWORKS for variant in network.variants]
    lines = ["| " + " | ".join(part.replace("|", "/") for part in table[key]) + " |" for key in order if key in table]
    SECTION.write("\n".join([HEAD, "|---" * len(Row._fields) + "|", *lines]) + "\n", document)


def _words(decibel: float | None) -> str:
    return "" if decibel is None else "equal" if decibel >= 999 else f"{decibel:.1f} dB"


def _number(words: str) -> float:
    return float(words.partition(" dB")[0])
