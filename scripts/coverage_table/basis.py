"""What the cells of a table were measured with: commits and packages, in a paragraph of its page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from scripts.coverage_table.record import Outcome


def basis(cells: Iterable[Outcome]) -> str:
    """Paragraph with the number of cells by commit and by versions of the packages, the commonest first; or nothing."""
    known = [cell for cell in cells if cell.source]
    commits = Counter(cell.commit or "a commit that was not noted" for cell in known)
    versions = Counter(cell.source.split(" ", 2)[-1] for cell in known)
    told = [f"Measured: {_counts(commits, 'at')}.", f"Packages: {_counts(versions, 'with')}."]
    return "\n" + "\n".join(told) if known else ""


def _counts(values: Counter[str], word: str) -> str:
    return "; ".join(f"{count} cell{'s' if count > 1 else ''} {word} {value}" for value, count in values.most_common())
