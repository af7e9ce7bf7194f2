"""Detectors and a keypoint network, trained here, from project to verdict: their own metrics decide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.projects.matrix import BACKENDS, gates, ran

pytestmark = [pytest.mark.trains, pytest.mark.builds]

Projects = Callable[[str], Path]
FLOORS = {"face": 0.8, "yolo": 0.8, "pose": 0.8}
"""Metric that training must reach: mAP@50 of the detectors, PCK@0.05 of the keypoint network."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", FLOORS)
def test_int8_keeps_the_metric_of_the_trained_network(
    name: str, backend: str, project_of: Projects, cache: Path, tmp_path: Path
) -> None:
    report = ran(project_of(name), backend, "host-int8", tmp_path, cache)
    assert report.reference.score
    assert report.candidate.score
    assert report.reference.score.value >= FLOORS[name]
    assert report.reference.score.value - report.candidate.score.value < 0.02
    outcomes = gates(report)
    assert outcomes["agreement"] == "passed"
    assert outcomes["accuracy_drop"] in ("passed", "undecided")
    assert outcomes["reference_accuracy"] == "passed"
    assert outcomes["integer_macs_share"] == "passed"


@pytest.mark.parametrize("name", FLOORS)
@pytest.mark.parametrize("profile", ["float32", "dynamic-int8"])
def test_float_and_dynamic_int8_answer_as_the_trained_network(
    name: str, profile: str, project_of: Projects, cache: Path, tmp_path: Path
) -> None:
    report = ran(project_of(name), "onnx", profile, tmp_path, cache)
    assert report.reference.score
    assert report.candidate.score
    assert report.agreement >= (0.999 if profile == "float32" else 0.97)
    assert abs(report.reference.score.value - report.candidate.score.value) < (0.001 if profile == "float32" else 0.02)
