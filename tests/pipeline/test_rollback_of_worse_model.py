"""A model that got worse, rightly signed: the device is back on the one before, unattended, and says why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from edgekit import examples
from tests import reference_servers as servers
from tests.cli.test_reference import ports, serving
from tests.command_line import PLAIN, QUICK, edgekit_here

pytestmark = pytest.mark.served

BRIEF = (*PLAIN, *QUICK, "--samples", 500)
DARK = """

def dark():
    \"\"\"What a camera with its lid on would give to calibrate on.\"\"\"
    scans = calibration()
    scans.images = np.zeros_like(scans.images)
    return scans
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The embedded example, with another set to calibrate on."""
    folder = tmp_path / "digits"
    shutil.copytree(examples.folder("digits"), folder)
    with (folder / "data.py").open("a") as file:
        file.write(DARK)
    return folder


def ran(project: Path, device: Path, places: dict[str, str], *options: object) -> tuple[int, str]:
    """One run to the device: how it ended, and its verdict."""
    argv = (
        *("--project", project, "--target", "host", "--backend", "onnx", *BRIEF),
        *("--set", "profile.gates.not_slower=false", "--device", f"local://{device}", "--json"),
    )
    ended = edgekit_here("run", *argv, "--out", device.with_name("out"), *options, env=places)
    assert ended.out, ended.err
    return ended.code, ended.document["reports"][0]["verdict"]


def served(device: Path) -> bytes:
    return (device / "current" / "manifest.json").read_bytes()


def check_incident(device: Path) -> None:
    """The device says of itself that it dropped what was worse, by which gate, and by which samples."""
    state = json.loads((device / "state.json").read_text())
    assert [slot["state"] for slot in state["slots"].values()] == ["committed", "failed"]
    assert [event["verdict"] for event in state["history"][-3:]] == ["staged", "trial", "rolled back"]
    incident = state["history"][-1]["detail"]
    assert incident["verdict"] == "failed"
    assert "agreement" in {gate["gate"] for gate in incident["gates"]}
    assert incident["flipped"]


def test_a_model_that_was_calibrated_in_the_dark_is_taken_back(
    project: Path, places: dict[str, str], tmp_path: Path
) -> None:
    device, toml = tmp_path / "device", project / "edgekit.toml"
    assert ran(project, device, places) == (0, "passed")
    before = served(device)
    toml.write_text(toml.read_text().replace("data.py:calibration", "data.py:dark"))
    assert ran(project, device, places) == (1, "failed")
    assert served(device) == before
    check_incident(device)


def test_a_model_with_damaged_weights_is_taken_back_by_what_the_cloud_serves(
    project: Path, places: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "float").mkdir()
    servers.installed(servers.float_bundle(servers.digits(), tmp_path / "float"), "mlserver")
    device, (options, chosen) = tmp_path / "device", ports()
    with serving(places, tmp_path / "tmp", "--example", "digits", "--server", "mlserver", *options):
        reference = ("--reference", f"grpc://127.0.0.1:{chosen.grpc}/digits")
        assert ran(project, device, places, *reference) == (0, "passed")
        before = served(device)
        weights = load_file(project / "weights.safetensors")
        weights["linear.weight"] = np.roll(weights["linear.weight"], 1, axis=0).copy()
        save_file(weights, project / "weights.safetensors")
        assert ran(project, device, places, *reference) == (1, "failed")
    assert served(device) == before
    check_incident(device)
