"""`report`: what a build left, in every form."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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
