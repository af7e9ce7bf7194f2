"""Detectors and a keypoint network, trained here, from project to verdict: their own metrics decide."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.api.builds import diagnose, load_project
from tests.networks import substitute
from tests.projects.matrix import BACKENDS, few, gates, ran

pytestmark = [pytest.mark.trains, pytest.mark.builds]

Projects = Callable[[str], Path]
FLOORS = {"face": 0.8, "yolo": 0.8, "pose": 0.8}
"""Metric that training must reach: mAP@50 of the detectors, PCK@0.05 of the keypoint network."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(("name", "backend"), list(zip(FLOORS, BACKENDS, strict=True)))
def test_int8_keeps_the_metric_of_the_trained_network(
    name: str, backend: str, project_of: Projects, cache: Path, tmp_path: Path
) -> None:
    report = ran(project_of(name), backend, "host-int8", tmp_path, cache, *few(backend))
    assert report.reference.score
    assert report.candidate.score
    assert report.reference.score.value >= FLOORS[name]
    assert report.reference.score.value - report.candidate.score.value < 0.02
    outcomes = gates(report)
    assert outcomes["agreement"] == "passed"
    assert outcomes["accuracy_drop"] in ("passed", "undecided")
    assert outcomes["reference_accuracy"] == "passed"
    assert outcomes["integer_macs_share"] == "passed"


@pytest.mark.parametrize(("name", "profile"), [("face", "float32"), ("pose", "dynamic-int8")])
def test_float_and_dynamic_int8_answer_as_the_trained_network(
    name: str, profile: str, project_of: Projects, cache: Path, tmp_path: Path
) -> None:
    report = ran(project_of(name), "onnx", profile, tmp_path, cache)
    assert report.reference.score
    assert report.candidate.score
    assert report.agreement >= (0.999 if profile == "float32" else 0.97)
    assert abs(report.reference.score.value - report.candidate.score.value) < (0.001 if profile == "float32" else 0.02)


def test_boxes_and_scores_in_one_int8_tensor_fail_and_diagnose_names_what_joins_them(
    project_of: Projects, cache: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(project_of("yolo"), tmp_path / "camera")
    text = (folder / "edgekit.toml").read_text()
    for old, new in (
        ("model.py:yolo", "model.py:camera"),
        ('outputs = ["fine", "coarse"]\n', ""),
        ("size = [64, 96]", "size = [640, 960]"),
        ('{ kind = "yolo-v8", raw = true, strides = [8, 16], bins = 8 }', '"yolo-v8"'),
        ("data.py:calibration", "data.py:camera_calibration"),
        ("data.py:evaluation", "data.py:camera_evaluation"),
    ):
        text = substitute(old, new, text)
    (folder / "edgekit.toml").write_text(text)
    # One scale for pixels and scores shows on any picture, and diagnosis simulates the network on each many times.
    data = folder / "data.py"
    for old, new in (
        ("Pasted(2, 200, False)", "Pasted(2, 32, False)"),
        ("Pasted(3, 300, True)", "Pasted(3, 48, True)"),
    ):
        data.write_text(substitute(old, new, data.read_text()))
    # The default profile repairs it.
    report = ran(folder, "tflite", "int8-plain", tmp_path, cache)
    assert report.reference.score
    assert report.candidate.score
    assert report.reference.score.value >= FLOORS["yolo"]
    assert report.candidate.score.value < 0.1
    assert report.verdict == "failed"
    assert gates(report)["agreement"] == gates(report)["accuracy_drop"] == "failed"
    # The boxes alone make a fine signal: SQNR does not tell.
    assert report.sqnr_db
    assert report.sqnr_db > 25
    examined = diagnose(load_project(folder), "host", backend="tflite", profile="int8-plain", cache=cache)
    assert examined.diagnosis.cause == "shared scale"
    assert "(cat) joins" in examined.diagnosis.sentence
