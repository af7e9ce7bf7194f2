from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edgekit.errors import SpecError
from edgekit.report.earlier_run import Earlier
from edgekit.report.report import Report, to_json
from tests.report.examples import COUNTED, emulated, passed

NAMES = ("raspberry-pi-5", "executorch", "raspberry-pi-int8")


def _judged(report: Report) -> tuple[str, float | None, str]:
    gate = next(gate for gate in report.gates if gate.name == "instructions_ratio")
    return gate.outcome, gate.value, gate.meaning


def _earlier(path: Path, report: Report) -> Earlier:
    (path / "report.json").write_text(report.to_json(), "utf-8")
    return Earlier.read(path / "report.json", *NAMES)


@pytest.mark.parametrize(("counted", "outcome"), [(138_398, "passed"), (141_165, "passed"), (141_166, "failed")])
def test_a_run_is_judged_by_the_one_before(tmp_path: Path, counted: int, outcome: str) -> None:
    report = emulated(counted, gates=COUNTED, earlier=_earlier(tmp_path, emulated()))
    assert _judged(report)[:2] == (outcome, counted / 138_398)
    assert (report.verdict, report.baseline_instructions, report.warnings) == (outcome, 138_398, None)


def test_without_an_earlier_run_the_verdict_does_not_wait_for_one() -> None:
    report = emulated(gates=COUNTED)
    assert (report.verdict, _judged(report)[0]) == ("passed", "not measurable")
    assert "--baseline" in _judged(report)[2]


def test_an_earlier_run_of_something_else_leaves_it_undecided(tmp_path: Path) -> None:
    other = emulated().model_copy(update={"target": "raspberry-pi-4"})
    report = emulated(gates=COUNTED, earlier=_earlier(tmp_path, other))
    assert (report.verdict, _judged(report)[0]) == ("undecided", "undecided")
    assert "is of other runs than this one: raspberry-pi-4, executorch, raspberry-pi-int8;" in _judged(report)[2]


def test_an_earlier_run_that_counted_nothing_leaves_it_undecided(tmp_path: Path) -> None:
    report = emulated(gates=COUNTED, earlier=_earlier(tmp_path, passed()))
    assert "the baseline did not run on an emulated device, and counted no instructions;" in _judged(report)[2]


@pytest.mark.parametrize("counted", [0, -5])
def test_an_earlier_run_that_counted_less_than_one_is_damaged(tmp_path: Path, counted: int) -> None:
    document = json.loads(emulated().to_json())
    document["candidate"]["instructions"] = counted
    (tmp_path / "report.json").write_text(json.dumps(document))
    with pytest.raises(SpecError, match=r"the baseline cannot be used: .*'candidate\.instructions'"):
        Earlier.read(tmp_path, *NAMES)


def test_an_earlier_run_by_another_runtime_is_compared_with_a_warning(tmp_path: Path) -> None:
    report = emulated()
    where = replace(report.candidate.environment, runtime="executorch 1.4.0", threads=2)
    other = report.model_copy(update={"candidate": report.candidate.model_copy(update={"environment": where})})
    report = emulated(gates=COUNTED, earlier=_earlier(tmp_path, other))
    assert _judged(report)[0] == "passed"
    assert report.warnings == (
        "The baseline had another runtime: executorch 1.4.0, and now it is executorch 1.5.1. Instructions may differ "
        "for that alone.",
        "The baseline had another number of threads: 2, and now it is 1. Instructions may differ for that alone.",
    )


def _document(path: Path) -> Path:
    other = emulated().model_copy(update={"target": "raspberry-pi-4"})
    (path / "all.json").write_text(to_json([other, emulated()]), "utf-8")
    return path / "all.json"


def _out(path: Path) -> Path:
    (path / "report.json").write_text(emulated().to_json(), "utf-8")
    return path


def _outs(path: Path) -> Path:
    for name in ("a", "b"):
        (path / name).mkdir()
    (path / "a" / "report.json").write_text(passed().model_copy(update={"backend": "onnx"}).to_json(), "utf-8")
    return _out(path / "b").parent


@pytest.mark.parametrize("left", [_document, _out, _outs])
def test_it_is_found_in_whatever_a_run_leaves(tmp_path: Path, left: Callable[[Path], Path]) -> None:
    assert Earlier.read(left(tmp_path), *NAMES).baseline.instructions == 138_398


def _text(content: str) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        (path / "report.json").write_text(content, "utf-8")
        return path / "report.json"

    return write


@pytest.mark.parametrize(
    ("left", "message"),
    [
        (lambda path: path / "gone.json", "there is no baseline '.*gone.json'"),
        (lambda path: path, "the baseline '.*' has no report.json in it"),
        (_text("{"), "cannot be used: .* cannot be read as a report"),
        (_text(json.dumps({"schema": 1, "reports": [{}]})), "cannot be used: .* is not a report"),
        (_text(json.dumps({"plans": []})), "cannot be used: .* is not a report"),
    ],
)
def test_what_is_no_report_is_refused_with_what_to_type(tmp_path: Path, left: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message) as raised:
        Earlier.read(left(tmp_path), *NAMES)
    assert "--baseline" in (raised.value.hint or "")
