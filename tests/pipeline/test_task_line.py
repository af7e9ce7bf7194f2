"""The line for another task than classification: built, judged by its own metric, with labels and without."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_diabetes

from tests.conftest import Command

MODEL = """
from pathlib import Path
import numpy as np
import torch

def make():
    stored = np.load(Path(__file__).with_name("weights.npz"))
    hidden, last = torch.nn.Linear(10, 32), torch.nn.Linear(32, 1)
    network = torch.nn.Sequential(hidden, torch.nn.ReLU(), last)
    network.load_state_dict({name: torch.from_numpy(stored[name]) for name in stored.files})
    return network
"""
FACTS = 'licence = "BSD", source = "scikit-learn"'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with random features and a least-squares head, that predicts the progress of diabetes."""
    root = tmp_path_factory.mktemp("task") / "progress"
    root.mkdir()
    x, y = load_diabetes(return_X_y=True)
    x = (20 * x).astype(np.float32)
    random = np.random.default_rng(0)
    weight, bias = random.normal(0, 0.7, (32, 10)), random.normal(0, 0.7, 32)
    hidden = np.maximum(x[:300] @ weight.T + bias, 0)
    design = np.c_[hidden, np.ones(len(hidden))]
    head = np.linalg.solve(design.T @ design + 10 * np.eye(33), design.T @ y[:300])
    arrays = {"0.weight": weight, "0.bias": bias, "2.weight": head[None, :32], "2.bias": head[32:]}
    weights: dict[str, Any] = {name: np.asarray(array, np.float32) for name, array in arrays.items()}
    np.savez(root / "weights.npz", **weights)
    np.savez(root / "fit.npz", x=x[:300], labels=y[:300])
    np.savez(root / "held.npz", x=x[300:], labels=y[300:])
    np.savez(root / "bare.npz", x=x[300:])
    (root / "model.py").write_text(MODEL)
    return root


def state(folder: Path, evaluation: str, rest: str = "", task: str = "regression") -> None:
    (folder / "edgekit.toml").write_text(
        f'[model]\nfactory = "model.py:make"\ntask = "{task}"\n[inputs.x]\nshape = [10]\n'
        f'[data]\ncalibration = {{ path = "fit.npz", {FACTS} }}\nevaluation = {{ {evaluation}, {FACTS} }}\n{rest}'
    )


def built(command: Command, folder: Path, out: Path, profile: str) -> Any:
    ended = command(
        "build", "--project", folder, "--target", "host", "--backend", "onnx", "--profile", profile, "--out", out,
        "--json",
    )  # fmt: skip
    assert ended.code in (0, 1), ended.err
    (report,) = ended.document["reports"]
    return report


@pytest.mark.builds
@pytest.mark.slow
def test_a_regression_is_judged_by_its_error_in_its_unit(command: Command, folder: Path, tmp_path: Path) -> None:
    state(folder, 'path = "held.npz"', '[task]\nmetric = "mae"\nunit = "points"\ntolerance = 5\n')
    report = built(command, folder, tmp_path / "out", "float32")
    y = load_diabetes(return_X_y=True)[1]
    score = report["reference"]["metric"]
    assert (score["name"], score["unit"], score["higher_is_better"]) == ("mae", "points", False)
    assert 35 < score["value"] < np.abs(y[300:] - np.median(y[300:])).mean()
    assert report["verdict"] == "passed"
    assert abs(report["accuracy_drop"]) < 1e-4
    assert report["agreement"] == 1.0
    assert "reaches a mean absolute error (mae) of" in report["sentence"]
    assert "less is better" in report["sentence"]
    gates = {gate["name"]: gate for gate in report["gates"]}
    assert gates["reference_accuracy"]["max"] == pytest.approx(np.abs(y[300:] - np.median(y[300:])).mean())


@pytest.mark.builds
@pytest.mark.slow
def test_without_labels_the_reference_judges_and_a_project_states_its_own_gates(
    command: Command, folder: Path, tmp_path: Path
) -> None:
    rest = "[task]\ntolerance = 5\n[gates]\nagreement = { min = 0.9 }\nnot_slower = false\n"
    state(folder, 'path = "bare.npz", labelled = false', rest)
    report = built(command, folder, tmp_path / "out", "dynamic-int8")
    gates = {gate["name"]: gate for gate in report["gates"]}
    assert gates["accuracy_drop"]["outcome"] == gates["reference_accuracy"]["outcome"] == "not measurable"
    assert (gates["agreement"]["min"], gates["agreement"]["outcome"]) == (0.9, "passed")
    assert "not_slower" not in gates
    assert (report["accuracy_drop"], report["accuracy_drop_bounds"]) == (None, None)
    assert "metric" not in report["reference"]
    assert "without labels" in report["sentence"]
    text = command("report", tmp_path / "out", "--full").out
    assert "no labels" in text


def test_labels_of_another_task_are_refused_before_torch_is_imported(command: Command, folder: Path) -> None:
    state(folder, 'path = "held.npz"', task="classification")
    (folder / "model.py").write_text("raise SystemExit('the network was loaded')\nmake = None")
    try:
        options = ("build", "--project", folder, "--target", "host", "--backend", "onnx")
        assert "classification needs one integer a sample" in command(*options).refused("EK105", 2)
        state(folder, 'path = "held.npz"', task="regresion")
        assert "no task is named 'regresion'" in command(*options).refused("EK102", 2)
        state(folder, 'path = "held.npz"', "[task]\nunits = 'm'\n")
        assert "'units': no such key" in command(*options).refused("EK101", 2)
        assert "'units': no such key" in command("plan", *options[1:]).refused("EK101", 2)
    finally:
        (folder / "model.py").write_text(MODEL)
