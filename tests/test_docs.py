"""Documentation can be found, and what it points to is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = sorted((ROOT / "docs").iterdir())
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
SOURCES = [path for folder in ("edgekit", "scripts", "tests") for path in (ROOT / folder).rglob("*.py")]
DECISIONS = ROOT / "docs/decisions"
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
CITED = re.compile(r"\b([A-Z][A-Z_]+\.md)\b|\b(DESIGN)\b")
"""Documents of a project have names in capitals."""
SPAN = re.compile(r"`((?:[a-z_]+/)+[a-z_]*)(?:\.([A-Za-z_.]+))?`")
"""`path/module`, `folder/`, or `path/module.name`, all below `edgekit/` or the repository's root."""
SUFFIXES = {"json", "md", "py", "sh", "sig", "toml"}


def test_the_index_links_every_file_of_docs() -> None:
    linked = set(LINK.findall((ROOT / "docs/README.md").read_text()))
    assert {path.name for path in DOCS if path.is_file()} - {"README.md"} <= linked
    assert "decisions/README.md" in linked


def test_the_index_of_decisions_links_every_one_and_numbers_are_used_once() -> None:
    linked = LINK.findall((DECISIONS / "README.md").read_text())
    entries = sorted(path.name for path in DECISIONS.glob("*.md") if path.name != "README.md")
    assert set(entries) <= set(linked)
    assert [entry[:4] for entry in entries] == [f"{number:04d}" for number in range(1, len(entries) + 1)]


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_a_module_or_function_that_a_page_names_is_there(page: str) -> None:
    spans = SPAN.findall((ROOT / page).read_text())
    assert spans
    assert [f"{path}.{name}".strip(".") for path, name in spans if not _is_there(path, name)] == []


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


def _is_there(path: str, name: str) -> bool:
    place = next((root / path for root in (ROOT / "edgekit", ROOT) if _module(root / path).exists()), None)
    if not name or name in SUFFIXES:
        suffix = f".{name}" if name else ""
        return place is not None or any((root / f"{path}{suffix}").exists() for root in (ROOT / "edgekit", ROOT))
    if place is None:
        return False
    scope: list[ast.stmt] = ast.parse(_module(place).read_text()).body
    for part in name.split("."):
        node = next((node for node in scope if part in _defined(node)), None)
        if node is None:
            return False
        scope = getattr(node, "body", [])
    return True


def _module(path: Path) -> Path:
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _defined(node: ast.stmt) -> set[str]:
    """Names that a statement defines in its scope."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}
