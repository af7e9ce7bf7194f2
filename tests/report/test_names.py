"""Names with umlauts, emoji, quotes, markup and letters from right to left, in every form of a report."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edgekit.atlas.catalogue import RunCatalogue
from edgekit.atlas.page import atlas_page
from edgekit.bundle.archive import Bundle
from edgekit.evidence.dossier import Dossier
from edgekit.evidence.paper_trail import paper_trail
from edgekit.export.contract import contract_of
from edgekit.export.hugging_face import front_matter
from edgekit.export.readme import readme
from edgekit.parity.flips import Flip
from edgekit.report.forms import flips_csv, github_annotations, junit, markdown, pull_request, sarif, text
from edgekit.report.forms import html as html_form
from edgekit.report.report import Report
from tests.evidence.examples import KEY, card, packed, report_of
from tests.report.examples import failed

RIGHT = "\u05e9\u05dc\u05d5\u05dd"
NAME = f"Grüße 🎉 'so' \"quoted\" <b>{RIGHT}</b> 12 | \u202eevil\u2066\n::add-mask::x"
ISOLATED = re.compile(f"(?:\u2068|<bdi>|\\\\u2068){RIGHT}(?:\u2069|</bdi>|\\\\u2069)")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return packed(tmp_path_factory.mktemp("names"), NAME, NAME)


@pytest.fixture(scope="module")
def report(bundle: Bundle) -> Report:
    """A report in which everything is named so that a device, a project or a file may name."""
    gates = tuple(gate.model_copy(update={"meaning": f"{NAME}: {gate.meaning}"}) for gate in failed().gates)
    names = dict.fromkeys(("target", "profile", "backend", "device"), NAME)
    return report_of(bundle, NAME, failed(), **names, gates=gates, warnings=(NAME,))


@pytest.fixture(scope="module")
def trail(bundle: Bundle, report: Report) -> dict[str, str]:
    files = paper_trail(Dossier(bundle, report, card(NAME, NAME)), KEY)
    return {path: content.decode() for path, content in files.items() if path.endswith(".md")}


@pytest.mark.parametrize(
    "render",
    [
        text.render,
        markdown.render,
        pull_request.render,
        sarif.render,
        github_annotations.render,
        html_form.render,
    ],
    ids=lambda render: render.__module__.rpartition(".")[2],
)
def test_every_form_shows_a_name_whole_and_lets_it_turn_nothing_around(
    render: Callable[[list[Report]], str], report: Report
) -> None:
    check(render([report]))


def test_junit_does_where_it_has_words_and_keeps_names_that_programs_compare(report: Report) -> None:
    root = ElementTree.fromstring(junit.render([report]))
    words = [each.text or "" for each in root.iter() if (each.text or "").strip()]
    assert len(words) == 4
    for each in words:
        check(each)
    (suite,) = root
    assert RIGHT in suite.attrib["name"]
    assert not ISOLATED.search(suite.attrib["name"])


def test_data_card_and_evidence_do(trail: dict[str, str]) -> None:
    check(card(NAME, NAME).to_markdown().decode())
    assert len(trail) == 5
    for path, page in trail.items():
        body = page.partition("\n---\n")[2] if path == "model-card.md" else page  # its YAML is for programs
        assert RIGHT not in ISOLATED.sub("", body), path
    check(trail["model-card.md"].partition("\n---\n")[2])


def test_a_folder_for_the_hub_does(bundle: Bundle) -> None:
    contract = contract_of(bundle, {})
    check(readme(contract, {}, None, {}))
    assert not {"\u202e", "\u2066"} & set(front_matter(contract))


def test_the_atlas_does(tmp_path: Path, report: Report) -> None:
    (tmp_path / "report.json").write_text(report.to_json(), "utf-8")
    check(atlas_page(RunCatalogue.of([tmp_path])))


def test_a_table_for_programs_has_the_name_as_it_is() -> None:
    flip = Flip(3, "lost", NAME, NAME, "b", None, None, None, None)
    written = flips_csv.render([flip], (NAME, "", "", "=" + NAME))
    (row,) = flips_csv.read(written)
    assert (row["id"], row["label"]) == ("=" + NAME, NAME)
    assert next(csv.DictReader(io.StringIO(written)))["id"].startswith("'=")


def check(shown: str) -> None:
    """Assert that a form has the name's letters, isolates those from right to left, and has no mark that turns text."""
    assert not {"\u202e", "\u2066"} & set(shown)
    assert "Grüße 🎉" in shown
    assert len(ISOLATED.findall(shown)) == shown.count(RIGHT) > 0
    if shown.startswith(("#", "\n#", "<!DOCTYPE")):  # Markdown and HTML
        assert not re.search(f"<b>\\W*{RIGHT}", shown.replace("<bdi>", ""))
    assert "\n::add-mask::" not in shown
    assert "quoted" in html.unescape(shown)
