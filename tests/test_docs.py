"""Documentation can be found, and what it points to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").iterdir())
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
SOURCES = [path for folder in ("edgekit", "scripts", "tests") for path in (ROOT / folder).rglob("*.py")]
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CITED = re.compile(r"\b([A-Z][A-Z_]+\.md)\b|\b(DESIGN)\b")
"""Documents of a project have names in capitals."""


def test_the_index_links_every_file_of_docs() -> None:
    linked = set(LINK.findall((ROOT / "docs/README.md").read_text()))
    assert {path.name for path in DOCS} - {"README.md"} <= linked


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_link_of_a_page_leads_to_a_file(page: Path) -> None:
    local = [link for link in LINK.findall(page.read_text()) if "://" not in link]
    assert [link for link in local if not (page.parent / link).exists()] == []


def test_no_text_cites_a_document_that_is_not_there() -> None:
    cited = {
        (path.relative_to(ROOT).as_posix(), "".join(match))
        for path in (*PAGES, *SOURCES)
        if path != Path(__file__)
        for match in CITED.findall(path.read_text())
    }
    there = {path.name for path in (*PAGES, *(ROOT / "edgekit").rglob("*.md"))}
    assert {(path, name) for path, name in cited if name not in there} == set()
