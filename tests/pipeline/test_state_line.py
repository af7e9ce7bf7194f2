"""Models with state through the whole line: on this machine and on an emulated board, against eager torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.measure import store
from tests.command_line import LENIENT, PLAIN, QUICK, edgekit_here
from tests.conftest import Command
from tests.stateful_projects import (
    ACCUMULATOR_TOML,
    sounds,
    write_accumulator,
    write_decoder,
    write_voice,
)

pytestmark = pytest.mark.builds
PROFILES = {"onnx": ("host-int8", "dynamic-int8"), "tflite": ("float32", "dynamic-int8")}
"""Precisions of each backend: every one is in a cell; static int8 of tflite is measured on the emulated board."""
LEAST_DB = {"float32": 80.0, "host-int8": 12.0, "dynamic-int8": 12.0}


def _report(out: Path) -> Any:
    return json.loads((out / "report.json").read_text())


@pytest.mark.lowers
@pytest.mark.parametrize("backend", ["onnx", "executorch", "tflite"])
def test_a_sequence_is_carried_from_the_project_to_a_device(command: Command, tmp_path: Path, backend: str) -> None:
    toml = ACCUMULATOR_TOML.replace("shape = [1, 3]", 'shape = [1, 3], initial = "h.npy"')
    project = write_accumulator(tmp_path / "project", toml, count=8, steps=20)
    np.save(project / "h.npy", np.array([[1, -2, 3]], np.float32))
    argv = ("--project", project, "--target", "host", "--backend", backend, "--profile", "float32", *QUICK)
    ended = command("run", *argv, "--device", f"local://{tmp_path / 'device'}", "--out", tmp_path / "out", *LENIENT)
    assert ended.code in (0, 1), ended.err
    report = _report(tmp_path / "out")
    assert report["drift"]["spans"][-1]["agreement"] == 1.0
    assert report["candidate"]["latency_ns"]["count"] >= 16
    bundle = Bundle.open(next((tmp_path / "out").glob("*.edgekit")), KeyStore.of_user().trusted())
    assert bundle.manifest.schema_version == 2
    assert bundle.manifest.state_paths() == ("state/total.npy",)
    measured = store.load(tmp_path / "out" / "candidate")
    x = np.load(project / "data.npz")["x"]
    total = np.broadcast_to(np.array([1, -2, 3], np.float32), (8, 3))
    for t in range(20):
        total = 0.5 * total + x[:, t]
        np.testing.assert_allclose(measured.outputs["sum"][:, t], 2 * total, rtol=1e-5, atol=1e-5)
    assert (measured.outputs["steps"] == np.arange(20)).all()


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_voice(tmp_path_factory.mktemp("voice") / "voice", count=20)


@pytest.mark.trains
@pytest.mark.lowers
@pytest.mark.parametrize("backend", PROFILES)
def test_voice_activity_is_detected_in_every_precision(
    voice: Path, places: dict[str, str], tmp_path: Path, backend: str
) -> None:
    for profile in PROFILES[backend]:
        argv = ("--project", voice, "--target", "host", "--backend", backend, "--profile", profile, *QUICK)
        device = ("--device", f"local://{tmp_path / profile}", "--out", tmp_path / f"out-{profile}")
        edgekit_here("run", *argv, *device, *LENIENT, *(PLAIN if profile == "host-int8" else ()), env=places)
        report = _report(tmp_path / f"out-{profile}")
        assert report["reference"]["metric"]["value"] > 0.85
        assert report["accuracy_drop"] < 0.02, profile
        assert report["agreement"] > 0.97, profile
        assert report["drift"]["steps"] == 64
        assert all(span["sqnr_db"] > LEAST_DB[profile] for span in report["drift"]["spans"]), report["drift"]
        if profile != "float32":
            assert report["artifact"]["integer_share"] > 0.9


@pytest.mark.trains
@pytest.mark.lowers
def test_a_cache_of_keys_and_values_is_state(places: dict[str, str], decoder: Path, tmp_path: Path) -> None:
    argv = ("--project", decoder, "--target", "host", "--backend", "executorch", "--profile", "host-int8")
    edgekit_here("build", *argv, "--out", tmp_path / "out", *LENIENT, *PLAIN, env=places)
    report = _report(tmp_path / "out")
    assert report["reference"]["metric"]["value"] > 0.95
    assert report["agreement"] > 0.97
    assert report["drift"]["spans"][-1]["sqnr_db"] > LEAST_DB["host-int8"], report["drift"]


@pytest.fixture(scope="module")
def decoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_decoder(tmp_path_factory.mktemp("decoder") / "decoder")


@pytest.mark.trains
@pytest.mark.emulated
@pytest.mark.usefixtures("emulation")
def test_a_thousand_steps_on_an_emulated_board_are_those_of_the_eager_network(
    voice: Path, command: Command, tmp_path: Path
) -> None:
    project = tmp_path / "long"
    project.mkdir()
    for name in ("model.py", "weights.safetensors", "edgekit.toml", "calibration.npz"):
        (project / name).write_bytes((voice / name).read_bytes())
    np.savez(project / "evaluation.npz", **sounds(4, 1000, 5))  # type: ignore[arg-type]
    argv = ("--project", project, "--target", "raspberry-pi-5", "--backend", "tflite", *LENIENT)
    command("run", *argv, "--device", "emulated", "--out", tmp_path / "out")
    report = _report(tmp_path / "out")
    assert report["candidate"]["environment"]["machine"] == "aarch64"
    assert report["candidate"]["instructions"] > 0
    assert report["drift"]["steps"] == 1000
    assert report["drift"]["spans"][-1]["last_step"] == 1000
    assert report["accuracy_drop"] < 0.02
    assert all(span["sqnr_db"] > 12 for span in report["drift"]["spans"]), report["drift"]
