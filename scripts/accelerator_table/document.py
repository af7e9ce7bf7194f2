"""Parts of docs/accelerators.md that scripts write, between marks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from edgekit.specs.catalog import builtin_root

DOCUMENT = builtin_root() / "docs" / "accelerators.md"
END = "<!-- end -->"


@dataclass(frozen=True)
class Section:
    """The part that `<!-- scripts/accelerators <name>: begin -->` begins."""

    name: str

    @property
    def begin(self) -> str:
        return f"<!-- scripts/accelerators {self.name}: begin -->\n"

    def read(self, document: Path = DOCUMENT) -> str:
        """Text between the marks."""
        return document.read_text("utf-8").partition(self.begin)[2].partition(END)[0]

    def write(self, text: str, document: Path = DOCUMENT) -> None:
        """Replace the text between the marks; it ends with a newline."""
        before, mark, rest = document.read_text("utf-8").partition(self.begin)
        if not mark:
            raise ValueError(f"{document} has no mark {self.begin.strip()}")
        document.write_text(f"{before}{mark}{text}{END}{rest.partition(END)[2]}", "utf-8")
