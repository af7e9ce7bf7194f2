"""`report`: what a build left, in every form."""

from __future__ import annotations

import json
import math
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from edgekit.ir.layers import Layer
from edgekit.report.layer_table import LayerTable
from tests.conftest import Built, Command


@pytest.mark.parametrize(
    ("form", "first"),
    [
        ("txt", "PASSED  host, host-int8, onnx, no device\n"),
        ("md", "## PASSED: host, host-int8, onnx, no device\n"),
        ("html", "<!doctype html>\n"),
    ],
)
def test_a_report_is_shown_in_every_form(command: Command, built: Built, form: str, first: str) -> None:
    ended = command("report", built.out, "--format", form)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.lower().startswith(first.lower())


def test_the_terminal_shows_a_screenful_and_the_rest_when_it_is_asked_for(command: Command, built: Built) -> None:
    brief, whole = command("report", built.out).out, command("report", built.out, "--full").out
    assert f"All sections: edgekit report {built.out} --full" in brief
    assert "Provenance" in whole
    assert "Provenance" not in brief
    assert command("report", built.out).out == brief
    assert "--full is for the terminal" in command("report", built.out, "--full", "--format", "md").refused("EK100", 2)


def test_a_page_is_written_with_layers_of_this_bundle_alone(command: Command, built: Built, tmp_path: Path) -> None:
    out, page = tmp_path / "out", tmp_path / "page.html"
    shutil.copytree(built.out, out)
    digest = json.loads((out / "report.json").read_text())["bundle"]["digest"]
    layer = Layer("stem", "conv", "conv", (), quantized=True, output_sqnr_db=math.inf)
    table = LayerTable(schema_version=1, bundle=digest, sentence="Nothing is wrong.", nodes=(), layers=(layer,))
    for table_of, shown in ((table, True), (table.model_copy(update={"bundle": "0" * 64}), False)):
        (out / "layers.json").write_text(table_of.to_json())
        ended = command("report", out, "--report", page)
        assert (ended.code, ended.out) == (0, f"{page}\n"), ended.err
        assert ("Sensitivity of the layers" in page.read_text()) is shown
    (out / "layers.json").write_text("{}")
    assert "is no table of layers" in command("report", out, "--report", page).refused("EK105", 2)
    assert "has no known ending" in command("report", out, "--report", tmp_path / "x.pdf").refused("EK104", 2)
    both = command("report", out, "--report", page, "--flips", "csv").refused("EK100", 2)
    assert "--report and --flips were both given" in both


def test_a_report_as_json_is_the_file(command: Command, built: Built) -> None:
    ended = command("report", built.out, "--format", "json")
    assert ended.document == {"schema": 1, "reports": [json.loads((built.out / "report.json").read_text())]}
    assert command("report", built.out / "report.json", "--format", "json").out == ended.out


def test_the_reports_of_several_builds_are_shown_together(command: Command, built: Built) -> None:
    both = command("report", built.out.parent, "--format", "json").document
    assert [report["target"] for report in both["reports"]] == ["host"]


def test_a_folder_without_a_report_is_refused(command: Command, tmp_path: Path) -> None:
    assert f"there is no report in '{tmp_path}'" in command("report", tmp_path).refused("EK105", 2)


def test_a_form_that_is_not_known_is_refused_with_those_that_are(command: Command, built: Built) -> None:
    assert "hint: one of json, md, html, txt" in command("report", built.out, "--format", "pdf").refused("EK104", 2)


def test_a_report_that_is_none_is_refused(command: Command, tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"schema": 1, "reports": [{}]}')
    ended = command("report", tmp_path)
    assert ended.code == 2
    assert ended.out == ""
    assert "report.json" in ended.err


def test_a_build_compares_slice_by_slice_with_counts(built: Built) -> None:
    slices = json.loads((built.out / "report.json").read_text())["slices"]
    assert [(each["name"], each["samples"]) for each in slices["classes"]] == [(name, 16) for name in "abcd"]
    assert {each["by"] for each in slices["slices"]} >= {"brightness"}
    assert all(each["samples"] > 0 for each in slices["slices"])
    assert "Slice by slice" in (built.out / "report.md").read_text()


@pytest.fixture
def flipped(built: Built, tmp_path: Path) -> Path:
    """Output of a build of which two samples were answered otherwise."""
    out = tmp_path / "flipped"
    shutil.copytree(built.out, out)
    header = (out / "flips.csv").read_text().splitlines()[0]
    rows = ("=a.png,3,lost,a,a,b,1.0,0.0,0.5,0.25", "b.png,4,gained,b,a,b,0.0,1.0,0.5,0.25")
    (out / "flips.csv").write_text("\n".join((header, *rows)) + "\n")
    return out


def test_flips_are_shown_as_csv_and_written_as_parquet(command: Command, flipped: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert command("report", flipped, "--flips", "csv").out == (flipped / "flips.csv").read_text()
    ended = command("report", flipped, "--flips", "parquet")
    assert (ended.code, ended.out) == (0, f"{flipped / 'flips.parquet'}\n")
    first, second = parquet.read_table(flipped / "flips.parquet").to_pylist()
    assert (first["id"], first["sample"], first["candidate_margin"]) == ("=a.png", 3, 0.25)
    assert second["change"] == "gained"


def test_a_gallery_shows_the_samples_of_the_project_that_was_measured(
    command: Command, flipped: Path, small: Path, tmp_path: Path
) -> None:
    ended = command("report", flipped, "--flips", "gallery", "--project", small)
    assert (ended.code, ended.out) == (0, f"{flipped / 'flips.html'}\n"), ended.err
    page = (flipped / "flips.html").read_text()
    assert len(re.findall("<img src=.data:image/png;base64,", page)) == 2
    assert "=a.png" in page
    assert "This page holds samples of your data" in page
    other = tmp_path / "other"
    shutil.copytree(small, other)
    arrays = dict(np.load(other / "data.npz"))
    np.savez(other / "data.npz", image=arrays["image"], labels=arrays["labels"][::-1])
    (flipped / "flips.html").unlink()
    refused = command("report", flipped, "--flips", "gallery", "--project", other).refused("EK105", 2)
    assert "the evaluation data of 'other' are not those that" in refused
    assert not (flipped / "flips.html").exists()


def test_a_page_shows_the_samples_of_a_project_that_is_named(
    command: Command, flipped: Path, small: Path, tmp_path: Path
) -> None:
    values = json.loads((flipped / "report.json").read_text())
    flip = {"sample": 3, "reference": "a", "candidate": "b", "label": "a", "id": "<b>.png"}
    values["flips"] |= {"samples": [3], "examples": [flip], "reference_only": 1}
    (flipped / "report.json").write_text(json.dumps(values))
    with_pictures = command("report", flipped, "--format", "html", "--project", small).out
    without = command("report", flipped, "--format", "html").out
    assert (with_pictures.count("data:image/png;base64,"), without.count("data:image/png;base64,")) == (1, 0)
    assert "&lt;b&gt;.png" in without
    assert "edgekit report flipped --format html --project DIR" in without


def test_flips_that_are_not_there_or_no_table_are_refused(command: Command, flipped: Path) -> None:
    (flipped / "flips.csv").write_text("a,b\n")
    assert "is no table of flipped samples" in command("report", flipped, "--flips", "parquet").refused("EK105", 2)
    (flipped / "flips.csv").unlink()
    assert "there is no 'flips.csv'" in command("report", flipped, "--flips", "csv").refused("EK105", 2)
    assert "a report needs no project" in command("report", flipped, "--project", ".").refused("EK100", 2)
    both = command("report", flipped, "--flips", "csv", "--format", "md").refused("EK100", 2)
    assert "--format and --flips were both given" in both
