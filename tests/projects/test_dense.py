"""Small networks of many tasks, trained here, from project to verdict on this machine: their own metrics decide."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.api.builds import diagnose, load_project
from tests.projects.matrix import gates, ran

# Converters that are imported in this process warn of what their own libraries do.
pytestmark = [
    pytest.mark.trains,
    pytest.mark.builds,
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning"),
]

Projects = Callable[[str], Path]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(
    ("name", "backend", "metric", "limit"),
    [
        ("siamese", "onnx", "eer", 0.08),
        ("tagger", "onnx", "span-f1", 0.95),
        ("autoencoder", "onnx", "auc", 0.85),
        ("sentences", "tflite", "recall@1", 0.7),
        ("keywords", "tflite", "top1", 0.9),
        ("segmenter", "onnx", "miou", 0.75),
    ],
)
def test_int8_keeps_the_metric_of_the_trained_network(
    name: str, backend: str, metric: str, limit: float, project_of: Projects, cache: Path, tmp_path: Path
) -> None:
    report = ran(project_of(name), backend, "host-int8", tmp_path, cache)
    score = report.reference.score
    assert score
    assert score.name == metric
    assert score.value >= limit if score.higher_is_better else score.value <= limit
    outcomes = gates(report)
    assert outcomes["reference_accuracy"] == "passed"
    assert outcomes["agreement"] == "passed"
    # 1,200 queries settle that retrieval loses less than a point, at the far end of the paired interval.
    assert outcomes["accuracy_drop"] in (("passed",) if name == "sentences" else ("passed", "undecided"))


def test_int8_keeps_the_details_that_are_added_to_the_picture(
    project_of: Projects, cache: Path, tmp_path: Path
) -> None:
    report = ran(project_of("superresolution"), "executorch", "host-int8", tmp_path, cache)
    assert report.reference.score
    assert report.candidate.score
    assert report.reference.score.unit == "dB"
    assert report.reference.score.value > 30
    assert report.candidate.score.value > report.reference.score.value - 0.1
    assert report.verdict == "passed"
    assert report.sqnr_db
    assert report.sqnr_db > 55
    figures = {figure.name: figure for figure in report.also_measured or ()}
    assert figures["PSNR against the reference"].candidate > 50
    assert 0.8 < figures["ssim"].candidate < 1


def test_a_forecaster_whose_int8_loses_above_a_stricter_gate_fails_and_diagnose_names_the_layer(
    project_of: Projects, cache: Path, tmp_path: Path
) -> None:
    folder = project_of("forecaster")
    report = ran(folder, "tflite", "host-int8", tmp_path, cache)
    assert report.reference.score
    assert report.candidate.score
    assert report.reference.score.value < 0.6
    assert report.candidate.score.value < 1.02 * report.reference.score.value
    strict = ["profile.gates.accuracy_drop.max=0.001"]
    examined = diagnose(load_project(folder), "host", backend="tflite", overrides=strict, cache=cache)
    assert examined.diagnosis.layers[0] == "layers.0"
    assert "'layers.0'" in examined.diagnosis.sentence
