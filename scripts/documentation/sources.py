"""Sources of the site: pages of the repository with their links as the site has them, and the reference."""

from __future__ import annotations

import posixpath
import re
import shutil
from pathlib import Path

from edgekit.errors import all_errors
from scripts.documentation.markdown import outside_code
from scripts.documentation.reference_pages import REFERENCE

ROOT = Path(__file__).parents[2]
OUTSIDE = {
    "README.md": "docs/overview.md",
    "CONTRIBUTING.md": "docs/contributing.md",
    "CHANGELOG.md": "docs/changelog.md",
    "LICENSE": "docs/licence.txt",
    "scripts/documentation/iframe-worker.js": "docs/assets/iframe-worker.js",
}
"""Files above docs/, and where the site has them."""
CODES = {kind.code for kind in all_errors()}
LINK = re.compile(r"(?<=\]\()([^)\s#]*)(#[^)\s]*)?(?=\))")
CODE = re.compile(r"(?<!\[)\bEK\d{3}\b")


def write_sources(folder: Path) -> None:
    """Write `docs/` and `mkdocs.yml` into an empty folder, for Zensical."""
    shutil.copytree(ROOT / "docs", folder / "docs")
    for name, place in OUTSIDE.items():
        (folder / place).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / place)
    for name, (_, text) in REFERENCE.items():
        (folder / "docs" / name).parent.mkdir(exist_ok=True)
        (folder / "docs" / name).write_text(text(), "utf-8")
    origins = {place: name for name, place in OUTSIDE.items()}
    for page in sorted((folder / "docs").rglob("*.md")):
        place = page.relative_to(folder).as_posix()
        if place.removeprefix("docs/") not in REFERENCE:
            page.write_text(site_page(page.read_text("utf-8"), place, origins.get(place, place)), "utf-8")
    shutil.copy(ROOT / "mkdocs.yml", folder)


def site_page(text: str, place: str, origin: str) -> str:
    """Page of the site at `place`, of the text at `origin` in the repository.

    Links to files above docs/ lead to the site's copies. Error codes become links, and so do the names of pages that
    are made from the code, such as `reference/errors.md`.
    """
    here = posixpath.dirname(place)

    def moved(link: re.Match[str]) -> str:
        target, anchor = link[1], link[2] or ""
        if not target or "://" in target or target.startswith("mailto:"):
            return link[0]
        file = posixpath.normpath(posixpath.join(posixpath.dirname(origin), target))
        return posixpath.relpath(OUTSIDE.get(file, file), here) + anchor

    def code_linked(code: re.Match[str]) -> str:
        return f"[{code[0]}]({errors}#{code[0].lower()})" if code[0] in CODES else code[0]

    def prose(words: str) -> str:
        # Codes within the text of a link, or in a heading, stay as they are.
        parts = re.split(r"(\[[^\]]*\]\([^)]*\))", LINK.sub(moved, words))
        heading = words.startswith("#")
        return "".join(part if i % 2 or heading else CODE.sub(code_linked, part) for i, part in enumerate(parts))

    def span(words: str) -> str:
        name = words.strip("`")
        return f"[{REFERENCE[name][0]}]({posixpath.relpath(f'docs/{name}', here)})" if name in REFERENCE else words

    errors = posixpath.relpath("docs/reference/errors.md", here)
    return outside_code(text, prose, span)
