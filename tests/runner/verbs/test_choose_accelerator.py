"""The choice between CPU and accelerators on the device, with stand-ins: quick ones, and ones that lie, hang or die."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from edgekit.runner.layout import MANIFEST
from edgekit.runner.slots.accelerator_choice import parse_choice
from tests.runner.conftest import Bare
from tests.runner.slot import KEY, write_slot
from tests.runner.stand_in_accelerator import STAND_IN

HTP = ("--kind=qnn-htp", "--slower=1")


class Device:
    """A device root with a committed bundle in slot a, and a stand-in for its accelerator."""

    def __init__(self, root: Path, bare: Bare) -> None:
        (root / "a").mkdir(parents=True)
        self.root, self.bare, self.slot = root, bare, write_slot(root / "a")
        self.digest = hashlib.sha256((self.slot / MANIFEST).read_bytes()).hexdigest()
        event = {"digest": self.digest, "when": "2026-11-28T12:00:00Z", "verdict": "committed"}
        slot = {"state": "committed", "digest": self.digest, "signers": [KEY.id]}
        state = {"schema": 1, "slots": {"a": slot, "b": {}}, "history": [event]}
        (root / "state.json").write_text(json.dumps(state))
        (root / "current").symlink_to("a")

    def ask(self, behaviour: str, *argv: object, code: int = 0) -> dict[str, Any]:
        command = [sys.executable, "-c", STAND_IN, behaviour, str(self.bare.folder), *map(str, argv)]
        done = subprocess.run(
            command, env={"PATH": "/usr/bin:/bin"}, capture_output=True, text=True, timeout=100, check=False
        )
        assert done.returncode == code, done.stderr + done.stdout
        document: dict[str, Any] = json.loads(done.stdout)
        return document

    def choose(self, behaviour: str, *options: str, code: int = 0, limit_s: float = 60) -> dict[str, Any]:
        argv = ("slots", "accelerator", self.root, self.digest, *(options or HTP), f"--limit={limit_s:g}")
        return self.ask(behaviour, *argv, code=code)

    @property
    def history(self) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = json.loads((self.root / "state.json").read_text())["history"]
        return events


@pytest.fixture
def device(tmp_path: Path, bare: Bare) -> Device:
    return Device(tmp_path / "root", bare)


def test_the_quicker_accelerator_is_kept_with_its_figures_and_runs_what_is_probed(device: Device) -> None:
    chosen = device.choose("rounds")
    assert (chosen["kind"], chosen["told"], chosen["changed"]) == ("qnn-htp", False, True)
    cpu, htp = chosen["measured"]
    assert htp["p50_ns"] < cpu["p50_ns"]
    assert htp["p50_ns"] <= htp["p90_ns"]
    assert htp["load_ns"] > 0
    assert htp["first_ns"] > 0
    assert htp["energy"] is None or htp["energy"]["joules"] > 0
    assert 40 < htp["sqnr_db"] < 100
    assert (htp["share"], htp["device"], htp["driver"], htp["why"]) == (1.0, "Stand-in", "1.0", None)
    assert device.history[-1]["verdict"] == "committed"
    assert device.history[-1]["detail"]["accelerator"] == "qnn-htp"
    assert not (device.root / "probe" / "accelerators").exists()
    inputs, out = device.slot / "golden" / "inputs", device.root.parent / "out"
    ran = device.ask("rounds", "accuracy", device.slot, "--inputs", inputs, "--out", out)
    assert ran["accelerator"]["kind"] == "qnn-htp"
    told = device.ask("rounds", "accuracy", device.slot, "--inputs", inputs, "--out", out, "--accelerator", "cpu")
    assert told["accelerator"] is None
    assert device.ask("rounds", "selftest", device.slot)["passed"]


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ("missing", "nothing here runs .onnx on 'qnn-htp'"),
        ("library", "'libQnnHtp.so' is not there"),
        ("driver", "driver of another version"),
        ("dies", "the process died by signal 9"),
        ("crashes", "the process died by signal 11"),
        ("hangs", "no answer within 3 s"),
        ("nan", "answers NaN or infinity"),
        ("lies", "it answers otherwise than the CPU: -6.0 dB, 20 dB are needed"),
        ("slow", "1 times that is allowed"),
        ("software", "a program of the CPU stands in for it"),
    ],
)
def test_an_accelerator_that_may_not_be_used_leaves_the_device_on_its_cpu_and_says_why(
    device: Device, behaviour: str, reason: str
) -> None:
    chosen = device.choose(behaviour, limit_s=3 if behaviour == "hangs" else 60)
    assert chosen["kind"] == "cpu"
    assert reason in chosen["why"]
    detail = device.history[-1]["detail"]
    assert detail["accelerator"] == "cpu"
    assert reason in detail["others"]["qnn-htp"]
    status = device.ask(behaviour, "slots", "status", device.root)
    assert status["current"] == "a"
    assert status["slots"]["a"]["accelerator"]["kind"] == "cpu"


def test_where_a_sensor_tells_the_energy_of_an_inference_it_is_recorded_and_may_decide(device: Device) -> None:
    quicker = device.choose("draws")
    assert quicker["kind"] == "qnn-htp"
    cpu, htp = (each["energy"] for each in quicker["measured"])
    assert (cpu["joules"], htp["joules"]) == (pytest.approx(0.003), pytest.approx(0.005))
    assert (cpu["method"], cpu["uncertainty"], cpu["whole"]) == ("a stand-in", 0.1, True)
    assert device.history[-1]["detail"]["energy"] == "cpu 3 mJ, qnn-htp 5 mJ an inference (a stand-in)"


@pytest.mark.parametrize(
    ("behaviour", "slower", "kind", "reason"),
    [
        ("saves", (), "qnn-htp", "1 mJ an inference, and 3 mJ on the CPU"),
        ("saves", ("--slower=1",), "cpu", "1 times that is allowed"),
        ("draws", (), "cpu", "it draws 5 mJ an inference, the CPU 3 mJ"),
        ("hides", (), "cpu", "1 times that is allowed; no sensor here tells what the whole machine draws"),
        ("rounds", (), "qnn-htp", "ms on the CPU; no sensor here tells what the whole machine draws"),
    ],
)
def test_a_bundle_that_prefers_energy_has_what_draws_least_or_the_quickest_where_no_sensor_tells(
    device: Device, behaviour: str, slower: tuple[str, ...], kind: str, reason: str
) -> None:
    chosen = device.choose(behaviour, "--kind=qnn-htp", "--prefer=energy", *slower)
    assert (chosen["kind"], reason in chosen["why"]) == (kind, True), chosen["why"]


def test_a_gate_on_the_share_of_operators(device: Device) -> None:
    assert "it runs 14.3% of the operators, 90.0% are needed" in device.choose("leaves", *HTP, "--share=0.9")["why"]


def test_a_choice_is_measured_once_until_system_driver_or_runtime_change(device: Device) -> None:
    first = device.choose("rounds")
    assert device.choose("rounds") == {**first, "changed": False}
    assert device.ask("rounds", "slots", "status", device.root)["slots"]["a"]["accelerator"]["expired"] is None
    state = json.loads((device.root / "state.json").read_text())
    state["slots"]["a"]["accelerator"]["surroundings"]["drivers"] = "of before"
    state["slots"]["a"]["accelerator"]["surroundings"]["system"] = "Linux 1.0"
    (device.root / "state.json").write_text(json.dumps(state))
    told = device.ask("rounds", "slots", "status", device.root)["slots"]["a"]["accelerator"]
    assert told["expired"] == "the operating system and a driver changed since it was chosen"
    inputs, out = device.slot / "golden" / "inputs", device.root.parent / "out"
    assert device.ask("rounds", "accuracy", device.slot, "--inputs", inputs, "--out", out)["accelerator"] is None
    again = device.choose("lies")  # the new driver is wrong
    assert (again["kind"], again["changed"]) == ("cpu", True)


def test_what_a_person_names_is_taken_if_it_runs_and_kept_until_another_is_named(device: Device) -> None:
    slow = device.choose("slow", "--told=qnn-htp", "--option=a=b")
    assert (slow["kind"], slow["told"], slow["options"]) == ("qnn-htp", True, ["a=b"])
    assert not device.choose("slow")["changed"]
    assert not device.choose("slow", "--told=qnn-htp", "--option=a=b")["changed"]
    cpu = device.choose("slow", "--told=cpu")
    assert (cpu["kind"], [each["kind"] for each in cpu["measured"]]) == ("cpu", ["cpu"])
    refused = device.choose("nan", "--told=qnn-htp", code=1)
    assert refused["kind"] == "nan"
    assert device.choose("crashes", "--told=qnn-htp", code=1)["kind"] == "crashed"
    status = device.ask("nan", "slots", "status", device.root)["slots"]["a"]["accelerator"]
    assert (status["kind"], status["told"]) == ("cpu", True)


def test_the_host_may_refuse_what_was_chosen_and_no_other_bundle_has_a_choice(device: Device) -> None:
    with_none = device.ask(
        "rounds", "slots", "accelerator", device.root, device.digest, "--keep-cpu=x", "--limit=1", code=1
    )
    assert with_none["kind"] == "state"
    device.choose("rounds")
    kept = device.choose("rounds", "--keep-cpu=gate 'agreement' failed")
    assert (kept["kind"], kept["why"]) == ("cpu", "gate 'agreement' failed")
    assert device.choose("rounds")["kind"] == "cpu"
    argv = ("slots", "accelerator", device.root, "0" * 64, *HTP, "--limit=9")
    assert device.ask("rounds", *argv, code=1)["kind"] == "state"


@pytest.mark.parametrize("change", [{"kind": 1}, {"options": [1]}, {"measured": [1]}, {"surroundings": {"system": 1}}])
def test_a_choice_that_edgekit_does_not_write_is_refused(change: dict[str, Any]) -> None:
    whole = {"kind": "cpu", "why": "", "told": False, "options": [], "surroundings": {}, "measured": []}
    assert parse_choice(whole) == whole
    assert parse_choice(None) is None
    with pytest.raises(TypeError):
        parse_choice({**whole, **change})
    with pytest.raises(KeyError):
        parse_choice({"kind": "cpu"})
