"""Atlas: what is found, what is told of what is not, and names that are only names."""

from __future__ import annotations

import json
import os
import shlex
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.atlas.catalogue import RunCatalogue, project_of
from edgekit.atlas.page import atlas_page
from edgekit.atlas.pareto import PlotPoint, pareto_front
from edgekit.atlas.reproduction import profile_changes
from edgekit.cli.app import load
from edgekit.errors import UsageError
from edgekit.report.failure_record import FailureRecord
from edgekit.report.report import Report, to_json
from edgekit.specs.catalog import Catalog
from tests.conftest import Command
from tests.evidence.examples import HOSTILE
from tests.networks import write_project
from tests.report.examples import built, failed, passed, served

FAILURE = FailureRecord(
    schema_version=1,
    project="net",
    target="raspberry-pi-5",
    backend="tflite",
    profile="raspberry-pi-int8",
    code="EK206",
    message="no operator 'wavelet'",
    hint="edgekit plan",
)


def named(report: Report, backend: str = "onnx", project: str = "net") -> Report:
    path = f"{project}-{report.target}-{backend}-int8.edgekit"
    bundle = report.bundle and report.bundle.model_copy(update={"path": path})
    return report.model_copy(update={"bundle": bundle, "backend": backend})


def put(folder: Path, report: Report) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.json").write_text(report.to_json(), "utf-8")


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three runs and a build of two backends, an error, and three files that cannot be read."""
    root = tmp_path_factory.mktemp("atlas") / "runs"
    put(root / "a", named(passed()))
    put(root / "b/deeper", named(failed(), "executorch"))
    put(root / "c", named(built(), "executorch"))
    put(root / "d", named(served()))
    put(root / "broken", passed())
    (root / "broken/report.json").write_text('{"schema": 1, "verdict"')
    (root / "future").mkdir()
    (root / "future/report.json").write_text('{"schema": 2, "everything": "else"}')
    (root / "odd/report.json").mkdir(parents=True)
    (root / "pipe").mkdir()
    os.mkfifo(root / "pipe/report.json")
    (root / "failed").mkdir()
    (root / "failed/failure.json").write_text(FAILURE.to_json())
    (root / "loop").symlink_to(root)
    return root


class Page(HTMLParser):
    """Tags, ids, links and words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def attributes(self, name: str) -> list[str]:
        return [value for _, values in self.tags if (value := values.get(name)) is not None]


def test_every_run_is_found_once_and_what_cannot_be_read_is_told(runs: Path) -> None:
    catalogue = RunCatalogue.of([runs, runs / "a"])
    assert sorted(entry.place for entry in catalogue.runs) == ["runs/a", "runs/b/deeper", "runs/c", "runs/d"]
    assert [entry.failure.code for entry in catalogue.failures] == ["EK206"]
    reasons = {each.place: each.reason for each in catalogue.unreadable}
    assert reasons.keys() == {f"runs/{name}/report.json" for name in ("broken", "future", "pipe")}
    assert reasons["runs/pipe/report.json"] == "it is no file"
    assert "of schema 2, and this edgekit reads 1" in reasons["runs/future/report.json"]
    assert "cannot be read as a report" in reasons["runs/broken/report.json"]


def test_the_page_stands_alone_and_says_everything_in_words_too(runs: Path) -> None:
    text = atlas_page(RunCatalogue.of([runs]))
    page = Page(text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "link", "img", "iframe", "object", "form"}
    assert all(link.startswith("#") for link in page.attributes("href"))
    assert not page.attributes("src")
    ids = page.attributes("id")
    assert len(ids) == len(set(ids))
    assert {link[1:] for link in page.attributes("href")} <= set(ids)
    plots = [values for tag, values in page.tags if tag == "svg" and values.get("role") == "img"]
    assert len(plots) == 2  # against size and against latency
    assert [tag for tag, _ in page.tags if tag in ("title", "desc")] == ["title", *("title", "desc") * 2]
    words = " ".join(page.words)
    assert "4 reports (2 passed, 1 undecided, 1 failed); 1 build or run that ended in an error" in words
    assert "3 files that could not be read" in words
    assert "no operator 'wavelet'" in words
    assert "edgekit run --device ssh://pi-lab-01 --target raspberry-pi-5 --backend onnx" in words
    assert "style-src 'sha256-" in text
    assert text == atlas_page(RunCatalogue.of([runs]))


def test_a_time_of_the_host_and_an_invalid_one_are_in_no_plot(runs: Path) -> None:
    text = atlas_page(RunCatalogue.of([runs]))
    assert "4 of 4 runs" in text
    assert "2 of 4 runs" in text  # `failed` is invalid, `built` has none


def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    folder = tmp_path / 'Ü <script>alert("x")<'
    report = named(passed(), project=HOSTILE.replace("/", "")).model_copy(
        update={"target": HOSTILE, "profile": HOSTILE, "backend": HOSTILE, "device": HOSTILE}
    )
    put(folder, report)
    failure = FAILURE.model_copy(update={"message": HOSTILE, "project": HOSTILE, "hint": HOSTILE})
    (folder / "failure.json").write_text(failure.to_json())
    text = atlas_page(RunCatalogue.of([tmp_path]))
    assert "<script" not in text
    assert not {"\u202e", "\u2066"} & set(text)
    page = Page(text)
    assert "script" not in {tag for tag, _ in page.tags}
    command = next(word for word in page.words if word.startswith("edgekit run"))
    plain = HOSTILE.replace("\u202e", " ").replace("\u2066", " ")
    assert shlex.split(command) == [
        *("edgekit", "run", "--device", plain, "--target", plain, "--backend", plain, "--profile", plain)
    ]


def test_a_name_from_right_to_left_reorders_nothing_around_it(tmp_path: Path) -> None:
    put(tmp_path, named(passed().model_copy(update={"target": "\u05d2"}), project="\u05d0\u05d1"))
    page = atlas_page(RunCatalogue.of([tmp_path]))
    assert '<th scope="row"><bdi>\u05d0\u05d1</bdi> on <bdi>\u05d2</bdi></th>' in page


def test_the_command_that_does_it_again_is_one_that_edgekit_takes(runs: Path) -> None:
    for entry in RunCatalogue.of([runs]).runs:
        _, verb, *words = shlex.split(entry.command)
        context = load(verb).make_context(verb, words, resilient_parsing=False)
        assert context.params["target"] == entry.report.target


def test_changes_of_a_profile_are_options_of_the_command() -> None:
    stated = Catalog.default().profile("raspberry-pi-int8").model_dump(mode="json", by_alias=True, exclude_unset=True)
    made = json.loads(json.dumps(stated))
    made["gates"]["agreement"] = {"min": 0.5}
    made["probe"] = {"processes": 1}
    assert profile_changes(made, stated) == ("profile.gates.agreement.min=0.5", "profile.probe.processes=1")
    assert profile_changes(stated, stated) == ()


@pytest.mark.parametrize(
    ("path", "project"), [("net-raspberry-pi-5-onnx-int8.edgekit", "net"), ("x.edgekit", "unknown")]
)
def test_the_project_is_told_by_the_name_of_the_bundle(path: str, project: str) -> None:
    report = named(passed())
    assert report.bundle
    bundle = report.bundle.model_copy(update={"path": path})
    assert project_of(report.model_copy(update={"bundle": bundle})) == project
    assert project_of(report.model_copy(update={"bundle": None})) == "unknown"


figures = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12)


@given(figures, st.booleans())
def test_no_run_beats_one_of_the_front_and_every_other_is_beaten_or_equalled(
    pairs: list[tuple[int, int]], higher_is_better: bool
) -> None:
    points = [PlotPoint(number, x, y, "onnx", "passed") for number, (x, y) in enumerate(pairs)]

    def beats(one: PlotPoint, other: PlotPoint) -> bool:
        better = one.y >= other.y if higher_is_better else one.y <= other.y
        return one.x <= other.x and better

    front = pareto_front(points, higher_is_better)
    for one in front:
        assert not any(beats(other, one) and (other.x, other.y) != (one.x, one.y) for other in points)
    for other in points:
        assert any(beats(one, other) for one in front)


def test_the_command_writes_a_page_and_replaces_nothing_else(runs: Path, tmp_path: Path, command: Command) -> None:
    page = tmp_path / "atlas.html"
    ended = command("atlas", runs, "--out", page)
    assert ended.code == 0, ended.err
    assert "4 reports" in ended.out
    assert ended.err.count("not shown: ") == 3
    assert command("atlas", runs, "--out", page, "--json").document["runs"] == 4
    mine = tmp_path / "mine.html"
    mine.write_text("<p>my own page</p>")
    assert "it would be lost" in command("atlas", runs, "--out", mine).refused("EK100", 2)
    assert mine.read_text() == "<p>my own page</p>"
    assert "there is no folder" in command("atlas", tmp_path / "none", "--out", page).refused("EK100", 2)
    assert "is a folder" in command("atlas", runs, "--out", tmp_path).refused("EK100", 2)


def test_a_folder_without_runs_is_no_error_and_a_document_of_several_is_read(tmp_path: Path, command: Command) -> None:
    assert "No report was found" in atlas_page(RunCatalogue.of([tmp_path]))
    (tmp_path / "report.json").write_text(to_json([passed(), failed()]), "utf-8")
    assert len(RunCatalogue.of([tmp_path]).runs) == 2
    with pytest.raises(UsageError, match="there is no folder"):
        RunCatalogue.of([tmp_path / "none"])


def test_a_build_that_ends_in_an_error_is_recorded_where_the_folder_is_there_already(
    tmp_path: Path, command: Command
) -> None:
    project = write_project(tmp_path / "project")
    (project / "data.npz").rename(project / "kept.npz")
    out = tmp_path / "out"
    argv = ("build", "--project", project, "--target", "host", "--backend", "onnx", "--out", out)
    assert command(*argv).code == 2
    assert not out.exists()  # an error makes no folder
    out.mkdir()
    assert command(*argv).code == 2
    (entry,) = RunCatalogue.of([out]).failures
    assert (entry.failure.code, entry.failure.target, entry.failure.backend) == ("EK105", "host", "onnx")
    assert entry.command.startswith("edgekit build --target host --backend onnx --profile ")
    assert "data.npz" in entry.failure.message
