"""The whole line, project to verdict, on this machine: for each of the three formats, and twice."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgekit.measure import store
from tests import machine_identity as machine
from tests.command_line import LENIENT, PLAIN, QUICK, Ended, edgekit, edgekit_here, environment
from tests.conftest import Built, Command
from tests.networks import MODEL, write_project

pytestmark = pytest.mark.builds

CHECKOUT = Path(__file__).parents[2]
FAILING = ("--set", "profile.gates.size_ratio.max=0.01")
IMPORTED = """
import contextlib, io, sys
from edgekit.cli import execute
with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
    execute()
print("torch" in sys.modules)
"""


@dataclass(frozen=True)
class Ran:
    """A run that passed."""

    options: tuple[object, ...]
    device: Path
    out: Path
    ended: Ended

    @property
    def bundle(self) -> Path:
        return next(self.out.glob("*.edgekit"))


@pytest.fixture(scope="module", params=["onnx", "tflite", "executorch"])
def ran(
    request: pytest.FixtureRequest, small: Path, places: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Ran:
    """The small project through one backend to an empty device."""
    device, out = tmp_path_factory.mktemp("device"), tmp_path_factory.mktemp("out")
    options: tuple[object, ...] = ("--project", small, "--target", "host", "--backend", request.param, *LENIENT, *QUICK)
    if request.param != "onnx":  # repair works on programs, before any backend: in one format it is on this line
        options = (*options, *PLAIN)
    argv = ("run", *options, "--device", f"local://{device}", "--out", out, "--report", out / "all.html", "--json")
    ended = edgekit_here(*argv, env=places)
    assert ended.code == 0, ended.err + ended.out
    return Ran(options, device, out, ended)


any_format = pytest.mark.parametrize("ran", ["onnx"], indirect=True)
"""Verdicts and slots know nothing of formats: the backend whose runs are the quickest."""


@pytest.fixture
def device(ran: Ran, tmp_path: Path) -> Path:
    """A device like the one of the run, for one test to change."""
    return Path(shutil.copytree(ran.device, tmp_path / "device", symlinks=True))


def slots(device: Path) -> dict[str, Any]:
    """The slot that the device serves, and the state of both slots."""
    state = json.loads((device / "state.json").read_text())
    states = {name: slot["state"] for name, slot in state["slots"].items()}
    return {"current": str((device / "current").readlink()), **states, "history": len(state["history"])}


def trusted(command: Command, device: Path, key: str) -> None:
    """Make a key, and let the device take what it signs."""
    command("keys", "new", key)
    assert command("device", "trust", f"local://{device}", "--key", key).code == 0


def files(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below, and which one it is."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in paths}


def test_a_run_measures_both_ends_and_serves_what_passed(ran: Ran) -> None:
    (report,) = ran.ended.document["reports"]
    assert report["verdict"] == "passed"
    assert report == json.loads((ran.out / "report.json").read_text())
    assert (ran.out / "all.html").read_text().lower().startswith("<!doctype html>")
    for side in ("reference", "candidate"):
        assert report[side]["samples"] == 64
        assert report[side]["latency_ns"]["count"] >= 16
    assert report["artifact"]["integer_share"] == report["artifact"]["integer_macs_share"] == 1.0
    assert report["agreement"] >= 0.97
    assert slots(ran.device) == {"current": "a", "a": "committed", "b": "empty", "history": 3}
    assert (ran.device / "a" / "manifest.json").read_bytes() == zipfile.ZipFile(ran.bundle).read("manifest.json")


def test_what_a_device_serves_can_be_probed_later(
    ran: Ran, device: Path, command: Command, small: Path, tmp_path: Path
) -> None:
    argv = ("probe", "--project", small, "--device", f"local://{device}", "--min-count", 1, "--min-duration", 0)
    assert command(*argv, "--out", tmp_path / "again.json").code == 0
    before, again = store.load(ran.out / "candidate"), store.load(tmp_path / "again")
    assert (before.outputs["output"] == again.outputs["output"]).all()


def test_a_bundle_that_is_there_is_not_sent_again(ran: Ran, device: Path, command: Command) -> None:
    before = files(device)
    ended = command("flash", ran.bundle, "--device", f"local://{device}", "--json")
    assert ended.document["state"] == "committed before"
    assert files(device) == before


@any_format
def test_a_missed_gate_takes_back_what_was_flashed(
    ran: Ran, device: Path, command: Command, small: Path, tmp_path: Path
) -> None:
    trusted(command, device, "second")  # the same model in a bundle that the device does not have
    served = files(device / "a")
    argv = (
        "run",
        *ran.options,
        *FAILING,
        "--key",
        "second",
        "--device",
        f"local://{device}",
        "--out",
        tmp_path / "out",
    )
    ended = command(*argv, "--json")
    assert ended.code == 1
    assert ended.document["reports"][0]["verdict"] == "failed"
    assert slots(device) == {"current": "a", "a": "committed", "b": "failed", "history": 6}
    assert files(device / "a") == served
    argv = ("probe", "--project", small, "--device", f"local://{device}", "--min-count", 1, "--min-duration", 0)
    assert command(*argv, "--samples", 4).code == 0


@any_format
def test_a_run_may_leave_the_new_one_on_trial(ran: Ran, device: Path, command: Command, tmp_path: Path) -> None:
    trusted(command, device, "third")
    argv = ("run", *ran.options, "--key", "third", "--device", f"local://{device}", "--out", tmp_path / "out")
    assert command(*argv, "--no-commit").code == 0
    assert slots(device) == {"current": "a", "a": "committed", "b": "trial", "history": 5}


@any_format
def test_of_two_slots_with_one_model_the_one_with_the_bundles_signature_is_served(
    ran: Ran, device: Path, command: Command, tmp_path: Path
) -> None:
    trusted(command, device, "third")
    argv = ("build", *ran.options, "--key", "third", "--out", tmp_path / "out")
    assert command(*argv).code == 0
    bundle = next((tmp_path / "out").glob("*.edgekit"))
    for sent, slot in ((bundle, "b"), (ran.bundle, "a"), (bundle, "b")):
        ended = command("flash", sent, "--device", f"local://{device}", "--json")
        assert ended.document["state"] == "committed", ended.err
        assert str((device / "current").readlink()) == slot


def test_two_builds_in_two_places_give_the_same_bytes_and_no_trace_of_either(
    ran: Ran, small: Path, places: dict[str, str], tmp_path: Path
) -> None:
    project = shutil.copytree(small, tmp_path / "elsewhere" / "small")
    home, scratch = tmp_path / "home-of-somebody", tmp_path / "scratch"
    home.mkdir()
    scratch.mkdir()
    somewhere = {
        "EDGEKIT_CACHE": str(tmp_path / "cache"),
        "EDGEKIT_CONFIG": places["EDGEKIT_CONFIG"],
        "HOME": str(home),
        "TMPDIR": str(scratch),
        "USER": "somebody-who-builds",
        "LOGNAME": "somebody-who-builds",
        "HOSTNAME": "machine-that-builds",
        "PYTHONHASHSEED": "1",
        "OMP_NUM_THREADS": "1",
    }
    argv = ("build", "--project", project, *ran.options[2:], "--out", tmp_path / "out")
    # The converter, which is what differs, has a process of its own. Of three torches imported anew, two are enough.
    here = "executorch" in ran.options
    ended = edgekit_here(*argv, env=somewhere) if here else edgekit(*argv, cwd=tmp_path, env=somewhere)
    assert ended.code == 0, ended.err
    bundle = tmp_path / "out" / ran.bundle.name
    assert bundle.read_bytes() == ran.bundle.read_bytes()
    # torch makes an empty folder for a compiler of its own.
    assert [path.name for path in scratch.iterdir() if not path.name.startswith("torchinductor_")] == []

    words = [*somewhere.values(), str(tmp_path), str(small), str(ran.out), str(CHECKOUT), sys.prefix, str(Path.cwd())]
    traces = [*(word for word in words if len(word) > 3), *machine.names()]
    for path in (*ran.out.iterdir(), *(tmp_path / "out").iterdir()):
        content = path.read_bytes()
        assert [word for word in traces if word.encode() in content] == [], path


def test_a_second_build_reuses_every_stage_and_loads_no_torch(built: Built) -> None:
    argv = ("build", *map(str, built.options), "--out", str(built.out))
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED, *argv], env=environment(), capture_output=True, text=True, timeout=120
    )
    assert done.stdout == "False\n", done.stderr
    stages = json.loads((built.out / "report.json").read_text())["stages"]
    assert {"capture", "quantize", "lower float32", "lower", "reference", "verify"} <= {s["name"] for s in stages}
    assert [stage["name"] for stage in stages if not stage["cached"]] == ["compare"]


def test_an_error_after_flashing_takes_it_back_too(command: Command, tmp_path: Path) -> None:
    model = (
        MODEL + "\n\nimport pathlib\nif (pathlib.Path(__file__).parent / 'broken').exists():\n    raise OSError('gone')"
    )
    project = write_project(tmp_path / "fragile", model=model, samples=8)
    # As many samples in both, so that nothing before the reference is new.
    setup = ("--project", project, "--target", "host", "--backend", "onnx", "--profile", "float32")
    options = (*setup, *QUICK, "--samples", 8)
    assert command("build", *options, "--out", tmp_path / "out").code == 0
    (project / "broken").touch()
    model_file = str(project / "model.py")
    for name in [name for name, module in sys.modules.items() if getattr(module, "__file__", None) == model_file]:
        del sys.modules[name]
    device = tmp_path / "device"
    message = command("run", *options, "--device", f"local://{device}", "--out", tmp_path / "out2").refused("EK201", 3)
    assert "OSError: gone" in message
    state = json.loads((device / "state.json").read_text())
    assert {slot["state"] for slot in state["slots"].values()} == {"failed", "empty"}
    assert not (device / "current").exists()
    assert not (tmp_path / "out2").exists()


def test_every_board_of_a_family_is_built_side_by_side(command: Command, project_folder: Path, tmp_path: Path) -> None:
    (project_folder / "profiles").mkdir()
    plain = 'schema = 1\nsummary = "Nothing but float."\nfamilies = ["raspberry-pi"]\n'
    (project_folder / "profiles" / "plain.toml").write_text(plain)
    profile = ("--target", "all", "--profile", "plain", "--backend", "onnx")
    out = tmp_path / "out"
    ended = command("build", "--project", project_folder, *profile, "--jobs", 2, "--out", out, "--json")
    assert (ended.code, ended.err) == (0, "")
    reports = ended.document["reports"]
    boards = ["raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-zero-2w"]
    assert [report["target"] for report in reports] == boards
    assert sorted(path.name for path in out.iterdir()) == [f"project-{board}-onnx-plain" for board in boards]
    # What was compiled ahead, in processes of its own, is not compiled again.
    lowered = [stage["cached"] for report in reports for stage in report["stages"] if stage["name"] == "lower"]
    assert lowered == [True, True, True]
