"""A temperature that is fitted, ships in the graph, and is told; and samples from outside, in the same build."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
from safetensors.numpy import save_file

from edgekit.cache import Cache
from edgekit.errors import DataError, EdgekitError, Misfit
from edgekit.parity.compare import compare
from edgekit.pipeline.outside_samples import check_outside
from edgekit.pipeline.request import BuildRequest, find_project, resolve_requests
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.pipeline.stages.temperature import settled_temperature, temperature_remarks
from edgekit.tasks.classification import Classification
from edgekit.tasks.registry import temperature_of
from tests.command_line import LENIENT, PLAIN, edgekit_here
from tests.parity.calibration.examples import measured, truthful

TIMES = 2.5
"""Factor by which the network is too sure."""
MODEL = """
from pathlib import Path
from safetensors.torch import load_file
from torch import nn

def net():
    layer = nn.Linear(16, 4)
    layer.load_state_dict(load_file(Path(__file__).with_name("w.safetensors")))
    return layer
"""
PROJECT = """
[model]
factory = "model.py:net"
task = "classification"

[inputs.x]
shape = [16]

[data]
calibration = {{ path = "{calibration}.npz", licence = "none", source = "drawn" }}
evaluation = {{ path = "evaluation.npz", licence = "none", source = "drawn" }}
{outside}

[task]
temperature = {temperature}

[gates]
calibration_drop = {{ max = 0.02, confidence = 0.95 }}
outside_auroc_drop = {{ max = 0.02, confidence = 0.95 }}
"""


def project(folder: Path, temperature: object = '"fit"', calibration: str = "calibration", outside: str = "") -> Path:
    """Project of a linear network whose labels are drawn by the softmax of a fraction of its logits."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=(4, 16)).astype(np.float32) * 0.4
    save_file({"weight": weight * TIMES, "bias": np.zeros(4, np.float32)}, str(folder / "w.safetensors"))
    for name, count in (("calibration", 500), ("evaluation", 400), ("few", 60)):
        x = rng.normal(size=(count, 16)).astype(np.float32)
        shares = np.exp(x @ weight.T)
        drawn = (shares / shares.sum(axis=1, keepdims=True)).cumsum(axis=1) < rng.random((count, 1))
        np.savez(folder / f"{name}.npz", x=x, labels=drawn.sum(axis=1).clip(0, 3))
        if name == "calibration":
            np.savez(folder / "learned.npz", x=x, labels=(x @ weight.T).argmax(axis=1))
    np.savez(folder / "other.npz", x=(3 + rng.normal(size=(120, 16))).astype(np.float32))
    np.savez(folder / "narrow.npz", x=np.zeros((120, 8), np.float32))
    (folder / "model.py").write_text(MODEL)
    text = PROJECT.format(temperature=temperature, calibration=calibration, outside=outside)
    (folder / "edgekit.toml").write_text(text)
    return folder


def request_of(folder: Path) -> BuildRequest:
    return resolve_requests(find_project(folder, None), "host", "onnx", None)[0]


def test_a_temperature_is_fitted_ships_and_is_told(tmp_path: Path) -> None:
    folder = project(tmp_path, outside='outside = "noise"')
    ended = edgekit_here(
        "build", "--project", folder, "--target", "host", "--backend", "onnx", "--out", tmp_path / "out", "--json",
        *LENIENT, *PLAIN,
    )  # fmt: skip
    assert ended.code == 0, ended.stderr
    (report,) = ended.document["reports"]
    calibration, outside = report["calibration"], report["outside"]
    assert calibration["temperature"] == pytest.approx(TIMES, rel=0.15)
    # Both endpoints have it, and the reference without it is off by much more.
    assert calibration["untempered"]["ece"] > 2 * calibration["reference"]["ece"]
    assert calibration["candidate"]["ece"] < 0.08
    assert any("fitted on 500 calibration samples" in warning for warning in report["warnings"])
    assert {gate["name"]: gate["outcome"] for gate in report["gates"]}["calibration_drop"] == "passed"
    assert [kind["name"] for kind in outside["kinds"]] == ["uniform", "gaussian", "permuted"]
    assert (outside["inside"], outside["outside"]) == (400, 399)
    bundle = next((tmp_path / "out").glob("*.edgekit"))
    with zipfile.ZipFile(bundle) as archive:
        history = json.loads(archive.read("manifest.json"))["history"]
        operators = {node.op_type for node in onnx.load_model_from_string(archive.read("model.onnx")).graph.node}
    assert ["temperature", f"{calibration['temperature']:g}"] in history[0]["options"]
    assert not operators & {"Div", "Mul"}


@pytest.mark.parametrize(
    ("calibration", "words"),
    [("learned", "is wrong on 0 of 500 decisions"), ("few", "60 samples, a temperature needs 100")],
)
def test_samples_that_no_temperature_follows_from_are_refused(tmp_path: Path, calibration: str, words: str) -> None:
    request = request_of(project(tmp_path, calibration=calibration))
    with pytest.raises(DataError, match=words):
        settled_temperature(request, StageRunner(Cache(tmp_path / "cache")))


def test_a_number_is_taken_as_it_is(tmp_path: Path) -> None:
    request = request_of(project(tmp_path, temperature=1.25))
    assert settled_temperature(request, StageRunner(Cache(tmp_path / "cache"))) is request
    assert temperature_of(request.project) == 1.25


def test_a_served_reference_has_no_temperature(tmp_path: Path) -> None:
    folder = project(tmp_path, temperature=1.25)
    text = (folder / "edgekit.toml").read_text() + '\n[reference]\nurl = "http://localhost:1/v2/models/m"\n'
    (folder / "edgekit.toml").write_text(text)
    with pytest.raises(Misfit, match="not those of a served reference"):
        request_of(folder)


@pytest.mark.parametrize(
    ("outside", "words"),
    [
        ('"chaos"', 'expected "noise"'),
        (
            '{ path = "narrow.npz", licence = "none", source = "drawn" }',
            "has shape \\[8\\], the project states \\[16\\]",
        ),
        ('{ path = "absent.npz", licence = "none", source = "drawn" }', "there is no 'absent.npz'"),
        ('{ licence = "none", source = "drawn" }', "exactly one of 'path' and 'loader'"),
    ],
)
def test_a_set_from_outside_that_does_not_fit_is_refused(tmp_path: Path, outside: str, words: str) -> None:
    folder = project(tmp_path, temperature=1.25, outside=f"outside = {outside}")
    with pytest.raises(EdgekitError, match=words):
        check_outside(request_of(folder), StageRunner(Cache(tmp_path / "cache")), 400)


def test_a_temperature_that_makes_it_worse_is_a_warning(tmp_path: Path) -> None:
    """Of samples that the network was trained on, and of a number that is wrong."""
    logits, labels = truthful(1000)
    tempered = Classification.model_validate({"temperature": 0.5})
    comparison = compare(measured(2 * logits, labels), measured(2 * logits, labels), tempered)
    request = request_of(project(tmp_path, temperature=0.5))
    stated, warning = temperature_remarks(request, StageRunner(Cache(tmp_path / "cache")), comparison)
    assert stated == "The logits are divided by 0.5, as [task] states."
    assert warning.startswith("THE TEMPERATURE MAKES THE PROBABILITIES WORSE on 1,000 evaluation samples")
