"""`inspect`, `compare`, `report`: what was built and measured, read again."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from tests.conftest import Built, Command


def test_a_bundle_is_verified_and_described(command: Command, built: Built) -> None:
    ended = command("inspect", built.bundle)
    assert (ended.code, ended.err) == (0, "")
    for words in (
        "small (classification), static-int8",
        "host (host, x86_64), profile host-int8",
        "image: uint8[1, 8, 8, 3]",
        "output: float32[1, 4]",
        "50,720 multiply-accumulates",
        "quantize: mode static",
        "calibration: random numbers; licence: made here",
        "model.onnx",
        "verified",
        hashlib.sha256(built.bundle.read_bytes()).hexdigest(),
    ):
        assert words in ended.out


def test_the_placement_is_every_operator_and_who_runs_it(command: Command, built: Built) -> None:
    ended = command("inspect", built.bundle, "--placement")
    rows = [line.split() for line in ended.out.splitlines()]
    assert ["operator", "runs", "on", "arithmetic", "MACs"] in rows
    assert [row[1:] for row in rows if row[0] == "QLinearConv"] == [
        ["cpu", "integer", "13,824"],
        ["cpu", "integer", "36,864"],
    ]


def test_inspecting_as_json_gives_the_manifest(command: Command, built: Built) -> None:
    ended = command("inspect", built.bundle, "--json")
    assert (ended.code, ended.err) == (0, "")
    found = ended.document
    assert found["manifest"]["name"] == "small"
    assert found["manifest"]["classes"] == ["a", "b", "c", "d"]
    assert found["file_sha256"] == hashlib.sha256(built.bundle.read_bytes()).hexdigest()
    assert found["signer"].startswith("ed25519:")


def test_two_measurements_are_compared(command: Command, built: Built) -> None:
    argv = ("compare", built.out / "reference.json", built.out / "candidate")
    ended = command(*argv)
    assert (ended.code, ended.err) == (0, "")
    rows = dict(line.split() for line in ended.out.splitlines()[1:])
    found = command(*argv, "--json").document["comparison"]
    assert found["samples"] == int(rows["samples"]) == 64
    assert found["agreement"] == float(rows["agreement"])
    assert found["reference_p50_ns"] is None
    assert "reference_p50_ns" not in rows


def test_measurements_of_other_samples_cannot_be_compared(command: Command, built: Built, tmp_path: Path) -> None:
    other = tmp_path / "other"
    command("build", *built.options, "--samples", 8, "--out", other)
    said = command("compare", built.out / "reference", other / "candidate").refused("EK105", 2)
    assert "other samples" in said


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
    said = command("report", tmp_path)
    assert said.code == 2
    assert said.out == ""
    assert "report.json" in said.err
