"""Pages in a real browser: nothing is requested, nothing is wider than the window, axe-core finds nothing.

axe-core (MPL-2.0) is not part of this repository: EDGEKIT_AXE names its `axe.min.js`, of the release that
docs/report.md names; the test of accessibility is skipped without it, and all of this file without Chromium.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.atlas.catalogue import RunCatalogue
from edgekit.atlas.page import atlas_page
from edgekit.ir.layers import Layer
from edgekit.report.failure_record import FailureRecord
from edgekit.report.forms import html
from edgekit.report.layer_table import LayerTable
from edgekit.report.record import OperatorGroup
from edgekit.report.report import Report
from edgekit.report.supplement import PLAIN, Supplement
from tests.report.browser import CHROMIUM, Browser, browser
from tests.report.examples import emulated, failed, passed, served

pytestmark = [
    pytest.mark.browses,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]
AXE = Path(os.environ.get("EDGEKIT_AXE", "axe.min.js"))
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"
WIDTHS = (390, 768, 1280)
LIGHT, DARK, FORCED = {"prefers-color-scheme": "light"}, {"prefers-color-scheme": "dark"}, {"forced-colors": "active"}
NAMES = ('Größe "1".jpg', "猫 🐈.png", "<script>alert(1)</script>.jpg", "صور/قطة 3.png", "\u202ecod.exe", "a'b & c.png")
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="


def whole() -> tuple[Report, Supplement]:
    """A failed run with all that a page can show beside the record."""
    report = failed()
    named = [flip.model_copy(update={"id": name}) for flip, name in zip(report.flips.examples, NAMES, strict=False)]
    operators = (
        OperatorGroup(name="conv", delegate="xnnpack", integer=True, count=21, macs=39_000_000, bytes=4_100_000),
        OperatorGroup(name="mean", delegate=None, integer=False, count=1, macs=1_000_000, bytes=65_536),
    )
    layers = tuple(
        Layer(f"layer{i}", f"conv_{i}", "conv", (), quantized=True, output_sqnr_db=noise, cumulative_sqnr_db=noise - 4)
        for i, noise in enumerate((41.0, 9.5, float("inf")))
    )
    table = LayerTable(schema_version=1, bundle="d" * 64, sentence="It falls.", nodes=("conv_1",), layers=layers)
    changed = report.model_copy(
        update={
            "flips": report.flips.model_copy(update={"examples": tuple(named)}),
            "artifact": report.artifact.model_copy(update={"operators": operators}),
        }
    )
    thumbnails = {flip.sample: DOT for flip in named}
    return changed, Supplement("out/my net", ("--project", "it's mine"), table, thumbnails)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    report, supplement = whole()
    rendered = {
        "whole": html.render([report], [supplement]),
        "passed": html.render([passed()]),
        "several": html.render([served(), report, emulated()], [PLAIN, supplement, PLAIN]),
    }
    for name, page in rendered.items():
        assert len(page) < 1_000_000
        (folder / f"{name}.html").write_text(page, "utf-8")
    return {name: folder / f"{name}.html" for name in rendered}


@pytest.fixture(scope="module")
def atlas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of several runs, of a failure, and of a file that is none."""
    folder = tmp_path_factory.mktemp("runs")
    for i, report in enumerate((passed(), failed(), served(), emulated(), whole()[0])):
        (folder / str(i)).mkdir()
        (folder / str(i) / "report.json").write_text(report.to_json(), "utf-8")
    failure = FailureRecord(
        schema_version=1,
        project=NAMES[0],
        target="raspberry-pi-5",
        backend="onnx",
        profile="raspberry-pi-int8",
        code="EK206",
        message=NAMES[3],
        hint="look",
    )
    (folder / "0" / "failure.json").write_text(failure.to_json(), "utf-8")
    (folder / "1" / "broken").mkdir()
    (folder / "1" / "broken" / "report.json").write_text("{")
    page = folder / "atlas.html"
    page.write_text(atlas_page(RunCatalogue.of([folder])), "utf-8")
    return page


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as page:
        yield page


def test_a_page_requests_nothing_and_its_policy_has_nothing_to_complain_of(
    chromium: Browser, pages: dict[str, Path]
) -> None:
    for page in pages.values():
        chromium.open(page, 1280)
        others = [url for url in chromium.requests if not url.startswith("data:")]
        assert others == [page.as_uri()]
        assert chromium.complaints == []
        # What the policy would have stopped had an effect: the stylesheet is there.
        assert chromium.evaluate("getComputedStyle(document.querySelector('.verdict')).borderLeftWidth") == "8px"


@pytest.mark.parametrize("width", WIDTHS)
def test_no_page_is_wider_than_its_window_and_every_word_is_legible(
    chromium: Browser, pages: dict[str, Path], width: int
) -> None:
    smallest = """Math.min(...[...document.querySelectorAll('main *')]
        .filter(e => e.checkVisibility() && [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim()))
        .map(e => parseFloat(getComputedStyle(e).fontSize) * (e.ownerSVGElement?.getScreenCTM().a ?? 1)))
    """
    for page in pages.values():
        chromium.open(page, width)
        assert chromium.evaluate("document.documentElement.scrollWidth") == width
        assert chromium.evaluate(smallest) >= 9


@pytest.mark.parametrize("width", WIDTHS)
def test_the_atlas_is_no_wider_than_its_window_and_requests_nothing(chromium: Browser, atlas: Path, width: int) -> None:
    chromium.open(atlas, width)
    assert chromium.evaluate("document.documentElement.scrollWidth") == width
    assert [url for url in chromium.requests if not url.startswith("data:")] == [atlas.as_uri()]
    assert chromium.complaints == []


def test_the_verdict_and_what_to_do_next_are_on_the_first_screen_of_a_telephone(
    chromium: Browser, pages: dict[str, Path]
) -> None:
    chromium.open(pages["whole"], 390)
    assert chromium.evaluate("document.querySelector('h1').getBoundingClientRect().top") < 200
    assert chromium.evaluate("document.querySelector('.next pre').getBoundingClientRect().bottom") < 844


def test_names_are_shown_as_they_are_and_do_nothing(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["whole"], 768)
    names = chromium.evaluate("[...document.querySelectorAll('.flips b')].map(name => name.textContent)")
    assert names == [name.replace("\u202e", " ") for name in NAMES]
    assert chromium.evaluate("document.querySelectorAll('main script').length") == 0
    assert chromium.evaluate("document.querySelector('.flips bdi').textContent") == "صور/قطة"
    assert "edgekit diagnose 'out/my net' --project 'it'\"'\"'s mine'" in chromium.evaluate("document.body.textContent")


def test_a_printed_page_shows_what_is_folded(chromium: Browser, pages: dict[str, Path]) -> None:
    chromium.open(pages["whole"], 768)
    hidden = "document.querySelector('.part > details table').checkVisibility({contentVisibilityAuto: true})"
    assert chromium.evaluate(hidden) is False
    chromium.open(pages["whole"], 768, kind="print")
    assert chromium.evaluate(hidden) is True


@pytest.mark.skipif(not AXE.is_file(), reason="needs axe-core: EDGEKIT_AXE=.../axe.min.js (docs/report.md)")
@pytest.mark.parametrize(
    ("name", "width", "media"),
    [
        ("whole", 390, LIGHT),
        ("whole", 1280, DARK),
        ("whole", 768, FORCED),
        ("several", 1280, LIGHT),
        ("atlas", 390, LIGHT),
        ("atlas", 1280, DARK),
    ],
)
def test_axe_finds_nothing(
    chromium: Browser, pages: dict[str, Path], atlas: Path, name: str, width: int, media: dict[str, str]
) -> None:
    script = AXE.read_bytes()
    assert hashlib.sha256(script).hexdigest() == AXE_SHA256, "another release of axe-core"
    chromium.open({**pages, "atlas": atlas}[name], width, media)
    # What is folded is looked at, too.
    chromium.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    chromium.evaluate(f"{script.decode()};0")
    answer = chromium.evaluate("axe.run().then(result => JSON.stringify([result.violations, result.passes.length]))")
    violations, passes = json.loads(answer)
    assert violations == []
    assert passes > 20
