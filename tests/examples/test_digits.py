"""The embedded example: its data are split fairly, and its weights are as good as its card says."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

from edgekit.datasets.classes import class_names
from edgekit.errors import UnknownName
from edgekit.examples import folder, names
from edgekit.frontend.load import load
from edgekit.samples import Samples, load_samples
from edgekit.specs.factory import resolve
from edgekit.specs.project import Project

pytestmark = pytest.mark.trains

WEIGHTS = folder("digits") / "weights.safetensors"


@pytest.fixture(scope="module")
def project() -> Project:
    return Project.read(folder("digits"))


@pytest.fixture(scope="module")
def halves(project: Project) -> tuple[Samples, Samples]:
    return load_samples(project, "training"), load_samples(project, "evaluation")


def indices(project: Project, role: str) -> set[int]:
    return set(resolve(f"data.py:{role}", project.root)().indices.tolist())


def test_an_example_is_found_by_name() -> None:
    assert names() == ["digits", "stories"]
    assert (folder("digits") / "edgekit.toml").is_file()


def test_an_unknown_example_gets_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no example is named 'digit'") as error:
        folder("digit")
    assert error.value.hint == "did you mean 'digits'?"
    with pytest.raises(UnknownName):
        folder("../examples/digits")


def test_the_halves_are_disjoint_and_leave_nothing_out(project: Project) -> None:
    training, evaluation = indices(project, "training"), indices(project, "evaluation")
    assert training.isdisjoint(evaluation)
    assert training | evaluation == set(range(1797))
    assert abs(len(training) - len(evaluation)) == 1


def test_no_scan_of_one_half_is_a_copy_of_one_in_the_other(halves: tuple[Samples, Samples]) -> None:
    seen = {scan.tobytes() for scan in halves[0].inputs["image"]}
    assert not any(scan.tobytes() in seen for scan in halves[1].inputs["image"])


def test_every_class_is_split_in_half(halves: tuple[Samples, Samples]) -> None:
    training, evaluation = (Counter(half.labels.tolist()) for half in halves)
    assert set(training) == set(evaluation) == set(range(10))
    assert all(abs(training[digit] - evaluation[digit]) <= 1 for digit in range(10))


def test_calibration_is_from_the_training_half_and_shows_every_class(project: Project) -> None:
    assert indices(project, "calibration") < indices(project, "training")
    counts = np.bincount(load_samples(project, "calibration").labels, minlength=10)
    assert counts.min() >= 20


def test_the_stated_mean_and_deviation_are_those_of_the_training_half(
    project: Project, halves: tuple[Samples, Samples]
) -> None:
    preprocess = project.inputs["image"].preprocess
    assert preprocess
    scaled = halves[0].inputs["image"] * preprocess.scale
    assert scaled.max() == 1.0
    assert scaled.mean() == pytest.approx(preprocess.mean[0], abs=5e-4)
    assert scaled.std() == pytest.approx(preprocess.std[0], abs=5e-4)


def test_the_weights_are_small_and_leave_no_trace_of_the_machine_that_trained_them() -> None:
    assert WEIGHTS.stat().st_size < 300_000
    with safe_open(WEIGHTS, "pt") as file:
        assert set(file.metadata()) == {"accuracy"}


def test_the_network_is_as_good_as_the_training_script_recorded(
    project: Project, halves: tuple[Samples, Samples]
) -> None:
    model, held_out = load(project), halves[1]
    with torch.no_grad():
        answers = model.module(torch.from_numpy(held_out.inputs["image"])).argmax(1).numpy()
    accuracy = float((answers == held_out.labels).mean())
    assert accuracy >= 0.985
    with safe_open(WEIGHTS, "pt") as file:
        assert f"{accuracy:.4f}" == file.metadata()["accuracy"]


def test_the_card_says_what_is_so(project: Project) -> None:
    card = (project.root / "CARD.md").read_text("utf-8")
    with safe_open(WEIGHTS, "pt") as file:
        accuracy = float(file.metadata()["accuracy"])
    model = resolve("model.py:digits", project.root)()
    assert f"{accuracy:.2%}".replace("%", " %") in card
    assert f"{sum(value.numel() for value in model.parameters()):,} parameters" in card
    assert f"{WEIGHTS.stat().st_size:,} bytes" in card
    licences = {getattr(project.data, role).licence for role in ("training", "calibration", "evaluation")}
    assert licences == {"CC BY 4.0"}
    assert "(CC BY 4.0)" in card


def test_every_class_has_a_name(project: Project) -> None:
    assert class_names(project) == tuple("0123456789")


def test_the_package_holds_the_whole_example() -> None:
    files = {path.name for path in Path(folder("digits")).iterdir() if path.is_file()}
    assert files == {"CARD.md", "data.py", "edgekit.toml", "model.py", "weights.safetensors"}
