"""A model that got worse, rightly signed: the device is back on the one before, unattended, and says why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from edgekit import examples
from tests.conftest import Command

QUICK = ("--set", "profile.probe.min_duration_s=0.1", "--set", "profile.probe.min_count=16", "--samples", 200)
DARK = """

def dark():
    \"\"\"What a camera with its lid on would give to calibrate on.\"\"\"
    scans = calibration()
    scans.images = np.zeros_like(scans.images)
    return scans
"""


def test_a_worse_model_is_taken_back_and_the_device_says_which_gate_and_which_samples(
    command: Command, tmp_path: Path
) -> None:
    project, device = tmp_path / "digits", tmp_path / "device"
    shutil.copytree(examples.folder("digits"), project)
    with (project / "data.py").open("a") as file:
        file.write(DARK)
    argv = ("--project", project, "--target", "host", "--backend", "onnx", *QUICK)
    argv = ("run", *argv, "--set", "profile.gates.not_slower=false", "--device", f"local://{device}", "--json")
    good = command(*argv, "--out", tmp_path / "good")
    assert good.code == 0, good.err + good.out
    served = (device / "current" / "manifest.json").read_bytes()
    toml = project / "edgekit.toml"
    toml.write_text(toml.read_text().replace("data.py:calibration", "data.py:dark"))
    worse = command(*argv, "--out", tmp_path / "worse")
    assert worse.code == 1, worse.err + worse.out
    (report,) = worse.document["reports"]
    assert report["verdict"] == "failed"
    assert (device / "current" / "manifest.json").read_bytes() == served
    state = json.loads((device / "state.json").read_text())
    assert [slot["state"] for slot in state["slots"].values()] == ["committed", "failed"]
    last = state["history"][-1]
    assert (last["verdict"], last["detail"]["verdict"]) == ("rolled back", "failed")
    assert "agreement" in {gate["gate"] for gate in last["detail"]["gates"]}
    assert last["detail"]["flipped"]
