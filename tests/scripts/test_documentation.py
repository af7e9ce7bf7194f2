"""The documentation site: it builds without a fault, asks nothing of another host, and its search finds things."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from scripts.documentation.__main__ import build
from scripts.documentation.links import faults
from scripts.documentation.reference_pages import REFERENCE
from scripts.documentation.sources import OUTSIDE, ROOT, site_page
from tests.report.browser import CHROMIUM, browser

HTML = '<link rel="stylesheet" href="s.css"><h1 id="here">x</h1><a href="#here">a</a><a href="b.html#there">b</a>'

SEARCH = """(async () => {
    const wait = async found => {
        for (let i = 0; i < 500; i++) {
            const result = found();
            if (result) return result;
            await new Promise(after => setTimeout(after, 100));
        }
    };
    const root = () => [...document.querySelectorAll('*')].map(e => e.shadowRoot).find(r => r?.querySelector('input'));
    document.querySelector('.md-search__button').click();
    const input = await wait(() => root()?.querySelector('input'));
    input.value = 'EK206';
    input.dispatchEvent(new Event('input', {bubbles: true}));
    return await wait(() => [...root().querySelectorAll('a[href]')].map(a => a.href).join(' '));
})()"""
"""Types into the search of a page, and waits for what it finds."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("zensical")
    out = tmp_path_factory.mktemp("site") / "site"
    assert build(out) == []
    return out


def test_a_reader_finds_photos_a_code_and_the_report_in_one_click(site: Path) -> None:
    home = (site / "index.html").read_text()
    for page in ("tutorials/photos-to-a-pi.html", "reference/errors.html", "reference/report-json.html"):
        assert f'href="{page}"' in home
        assert (site / page).exists()
    assert 'id="ek206"' in (site / "reference/errors.html").read_text()
    assert 'href="reference/errors.html#ek111"' in (site / "first-hour.html").read_text()
    assert not any(path.name.endswith(".new") for path in site.parent.iterdir())


def test_every_page_of_the_reference_is_whole(site: Path) -> None:
    shown = {name: (site / name).with_suffix(".html").read_text() for name in REFERENCE}
    for name, words in {
        "command-line": ("edgekit device add", "--backend", "--set"),
        "errors": ("EK708", "What to do", "edgekit targets"),
        "report-json": ("verdict", "GateResult"),
        "project-file": ("calibration", "preprocess", "anti-rollback"),
        "profile-file": ("accuracy_drop", "min_duration_s"),
        "target-file": ("ram_mb", "required"),
        "bundle-manifest": ("signatures", "InputProcessing"),
        "python-api": ("load_project", "BuildResult", "progress"),
    }.items():
        page = shown[f"reference/{name}.md"]
        assert [word for word in words if word not in page] == []


def test_the_index_of_the_search_has_words_of_codes_and_of_commands(site: Path) -> None:
    index = json.loads((site / "search.json").read_text())["items"]
    assert f"var __index = {(site / 'search.json').read_text()}".rstrip("; \n") == (
        (site / "search.js").read_text().rstrip("; \n")
    )
    for words, place in {
        "EK206": "reference/errors.html#ek206",
        "edgekit rollback": "reference/command-line.html#edgekit-rollback",
        "--canary": "reference/command-line.html#edgekit-flash",
        "accuracy_drop": "reference/profile-file.html#gates",
    }.items():
        assert place in [item["location"] for item in index if words in f"{item['title']} {item['text']}"]


@pytest.mark.browses
@pytest.mark.skipif(not CHROMIUM, reason="no Chromium")
def test_from_the_folder_search_finds_a_code_pages_fit_a_telephone_and_nothing_is_asked_of_a_host(
    site: Path, tmp_path: Path
) -> None:
    with browser(tmp_path / "profile") as page:
        for name in ("index", "tutorials/photos-to-a-pi", "reference/command-line", "reference/report-json"):
            page.open(site / f"{name}.html", 390)
            assert page.evaluate("document.documentElement.scrollWidth") == 390
            assert [url for url in page.requests if not url.startswith((site.as_uri(), "data:", "blob:"))] == []
        assert page.evaluate(SEARCH).startswith(f"{site.as_uri()}/reference/errors.html?h=#ek206")
        assert page.complaints == []
        assert [url for url in page.requests if not url.startswith((site.as_uri(), "data:", "blob:"))] == []


def test_a_dead_link_a_dead_anchor_and_a_fetch_from_another_host_are_faults(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(HTML)
    (tmp_path / "b.html").write_text('<script src="https://example.org/x.js"></script><a href="https://example.org">')
    (tmp_path / "s.css").write_text('@import "//example.org/font.css"; a { background: url(local.png) }')
    assert list(faults(tmp_path)) == [
        "a.html: link to 'b.html#there', which is not there",
        "b.html: fetches 'https://example.org/x.js'",
        "s.css: fetches '//example.org/font.css'",
    ]
    (tmp_path / "b.html").unlink()
    assert "a.html: link to 'b.html#there', which is not there" in list(faults(tmp_path))


def test_a_page_links_codes_and_made_pages_and_leaves_code_as_it_is() -> None:
    code = "\n\n    EK206\n\n```sh\nEK206 [a](../README.md)\n```\n"
    text = f"EK206, `EK206`, [EK206](x.md) and [all](../README.md#two).{code}"
    linked = site_page(f"{text}`reference/errors.md`, EK999\n# EK206\n", "docs/ci.md", "docs/ci.md")
    assert linked == (
        f"[EK206](reference/errors.md#ek206), `EK206`, [EK206](x.md) and [all](overview.md#two).{code}"
        "[Error codes](reference/errors.md), EK999\n# EK206\n"
    )
    moved = site_page("[ci](docs/ci.md), [log](CHANGELOG.md)", "docs/overview.md", "README.md")
    assert moved == "[ci](ci.md), [log](changelog.md)"


def test_the_navigation_has_every_page_but_those_of_single_decisions() -> None:
    """A new page of docs/ gets its line in mkdocs.yml, below the heading where a reader looks for it."""
    told = re.findall(r"^ +- (?:[^:\n]+: )?([\w/.-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")} | REFERENCE.keys()
    expected = {page for page in pages if not page.startswith("decisions/0")}
    assert sorted(told) == sorted(expected | {Path(place).name for place in OUTSIDE.values() if place.endswith(".md")})
