"""Build, flash and probe with an accelerator on a local device: chosen, refused, named, and taken back by a gate."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgekit.devices import process
from edgekit.devices.local import Local
from edgekit.devices.transport import Completed
from tests.command_line import LENIENT, QUICK, Ended
from tests.conftest import Command
from tests.runner.stand_in_accelerator import STAND_IN

pytestmark = pytest.mark.builds

NPU = (
    *("--set", 'target.npu={name="stand-in"}'),
    *(
        "--set",
        'target.accelerator=[{unit="npu",kind="qnn-htp",backend="onnx",activations=["float32"],weights=["float32"]}]',
    ),
)
GATES = (
    *("--set", "profile.gates.accelerated_share.min=0.9"),
    *("--set", "profile.gates.accelerator_agreement.min=0.9"),
    *("--set", "profile.gates.accelerator_not_slower=true"),
)


PROCESSES = 1
"""Processes that time a model, by `QUICK`."""
MOVES = ("slots accelerator", "slots install", "slots commit")


class Bench:
    """A local device whose NPU is a stand-in, and the count of the runner's verbs that it was asked."""

    def __init__(self, command: Command, small: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.behaviour, self.verbs, self.command, self.folder = "rounds", list[str](), command, folder
        self.url = f"local://{folder / 'device'}"
        self.options = ("--project", small, "--target", "host", "--backend", "onnx", "--profile", "float32", *NPU)

        def run(local: Local, argv: Sequence[str], *, timeout: float) -> Completed:
            words = list(argv)
            at = next((k for k, word in enumerate(words) if word.endswith(".pyz")), None)
            if at is not None and words[0] == sys.executable:
                self.verbs.append(" ".join(words[at + 1 : at + 3]))
                words = [*words[:at], "-c", STAND_IN, self.behaviour, *words[at:]]
            return process.run(words, timeout=timeout)

        monkeypatch.setattr(Local, "run", run)

    def run(self, *more: object) -> Ended:
        argv = (*self.options, *LENIENT, *QUICK, *more, "--device", self.url, "--out", self.folder / "out", "--json")
        return self.command("run", *argv)

    @property
    def counts(self) -> Counter[str]:
        """Calls of each verb that measures, installs or chooses."""
        verbs = (verb if verb.startswith("slots") else verb.split()[0] for verb in self.verbs)
        return Counter(verb for verb in verbs if verb not in ("slots status", "compile", "info"))

    @property
    def status(self) -> Any:
        return self.command("status", "--device", self.url, "--json").document

    @property
    def served(self) -> Any:
        status = self.status
        return status["slots"][status["current"]]["accelerator"]


@pytest.fixture
def bench(command: Command, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(command, small, tmp_path, monkeypatch)


def gates(ended: Ended) -> dict[str, Any]:
    return {gate["name"]: gate for gate in ended.document["reports"][0]["gates"]}


def test_the_quicker_npu_is_committed_by_its_gates_and_a_second_flash_measures_nothing(bench: Bench) -> None:
    ran = bench.run(*GATES)
    assert ran.code == 0, ran.err + ran.out
    # One install and one probe, as without an accelerator, and one choice.
    counts = bench.counts
    assert counts.pop("latency") == PROCESSES
    assert {name: counts[name] for name in counts if name.startswith("slots")} == dict.fromkeys(MOVES, 1)
    judged = gates(ran)
    assert judged["accelerated_share"]["value"] == 1.0
    assert judged["accelerator_agreement"]["value"] == 1.0
    assert 0 < judged["accelerator_not_slower"]["value"] < 1
    assert all(judged[name]["outcome"] == "passed" for name in judged if name.startswith("accelerat"))
    assert "it runs on qnn-htp" in ran.out
    assert (bench.served["kind"], bench.served["expired"]) == ("qnn-htp", None)
    bundle = next((bench.folder / "out").glob("*.edgekit"))
    before = bench.served
    bench.verbs.clear()
    flashed = bench.command("flash", bundle, "--device", bench.url)
    assert "committed before" in flashed.out
    assert "it runs on qnn-htp" in flashed.err
    assert bench.counts["slots accelerator"] == 1
    assert {"accuracy", "latency", "selftest"}.isdisjoint(verb.split()[0] for verb in bench.verbs)
    assert bench.served == before
    table = bench.command("status", "--device", bench.url)
    assert "qnn-htp" in table.out
    assert "slot 'a' runs on qnn-htp" in table.err


def test_an_emulated_board_tries_stand_ins_where_auto_is_typed_and_keeps_its_cpu(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.command("build", *bench.options, *LENIENT, "--out", bench.folder / "out")
    bundle = next((bench.folder / "out").glob("*.edgekit"))
    monkeypatch.setattr(Local, "kind", "emulated")
    bench.behaviour = "software"
    argv = ("flash", bundle, "--device", bench.url, "--runtime", "system")
    assert bench.command(*argv).code == 0
    assert (bench.counts["slots accelerator"], bench.served) == (0, None)
    typed = bench.command(*argv, "--accelerator", "auto")
    assert typed.code == 0, typed.err
    assert "it runs on the CPU: qnn-htp: a program of the CPU stands in for it, so that its time says" in typed.err
    assert bench.served["kind"] == "cpu"
    assert [each["software"] for each in bench.served["measured"]] == [False, True]


def test_a_choice_expires_with_the_driver_and_the_next_probe_measures_again(bench: Bench) -> None:
    assert bench.run().code == 0
    state = bench.folder / "device" / "state.json"
    content = json.loads(state.read_text())
    content["slots"]["a"]["accelerator"]["surroundings"]["drivers"] = "of before"
    state.write_text(json.dumps(content))
    assert bench.served["expired"] == "a driver changed since it was chosen"
    assert "runs on cpu until the next probe measures again" in bench.command("status", "--device", bench.url).err
    bench.behaviour = "nan"
    argv = ("probe", "--device", bench.url, "--project", bench.options[1], "--min-duration", 0.1, "--min-count", 8)
    probed = bench.command(*argv, "--processes", 1, "--out", bench.folder / "now.json")
    assert probed.code == 0, probed.err
    assert (bench.served["kind"], bench.served["expired"]) == ("cpu", None)
    assert "answers NaN or infinity" in bench.served["why"]
    history = bench.command("history", "--device", bench.url)
    assert "answers NaN or infinity" in history.out


def test_an_npu_that_lies_leaves_the_cpu_serving_and_one_that_is_named_is_an_error(bench: Bench) -> None:
    bench.behaviour = "lies"
    ran = bench.run(*GATES)
    assert ran.code == 0, ran.err + ran.out
    assert gates(ran)["accelerator_agreement"]["outcome"] == "not measurable"
    assert "it answers otherwise than the CPU" in gates(ran)["accelerator_agreement"]["meaning"]
    assert bench.served["kind"] == "cpu"
    bench.behaviour = "library"
    bundle = next((bench.folder / "out").glob("*.edgekit"))
    refusal = bench.command("flash", bundle, "--device", bench.url, "--accelerator", "npu").refused("EK415", 3)
    assert "'libQnnHtp.so' is not there" in refusal
    assert bench.served["kind"] == "cpu"
    assert bench.status["current"] == "a"


def test_a_verdict_that_fails_on_the_npu_is_made_again_on_the_cpu(bench: Bench) -> None:
    bench.behaviour = "flips"
    ran = bench.run("--set", "profile.gates.agreement.min=0.99")
    assert ran.code == 0, ran.err + ran.out
    assert bench.served["kind"] == "cpu"
    assert bench.served["why"].startswith("on qnn-htp the verdict is failed: ")
    assert "agreement" in bench.served["why"]


def test_an_npu_that_crashes_after_it_was_chosen_leaves_the_verdict_to_the_cpu(bench: Bench) -> None:
    bench.behaviour = "falls"
    ran = bench.run()
    assert ran.code == 0, ran.err + ran.out
    assert bench.served["kind"] == "cpu"
    assert "the runner was ended by signal 11" in bench.served["why"]
    assert "the runner was ended by signal 11" in bench.command("history", "--device", bench.url).out
    bundle = next((bench.folder / "out").glob("*.edgekit"))
    named = bench.command("probe", bundle, "--device", bench.url, "--project", bench.options[1], "--accelerator", "npu")
    assert "ended by signal 11" in named.refused("EK430", 3)
    bench.behaviour = "crashes"
    named = bench.command("flash", bundle, "--device", bench.url, "--accelerator", "npu")
    assert "qnn-htp: the process died by signal 11" in named.refused("EK430", 3)
    assert (bench.served["kind"], bench.status["current"]) == ("cpu", "a")


def test_a_target_without_an_npu_is_asked_for_none(command: Command, small: Path, tmp_path: Path) -> None:
    argv = ("run", "--project", small, "--target", "host", "--backend", "executorch", "--out", tmp_path / "out")
    refusal = command(*argv, "--accelerator", "npu", "--device", f"local://{tmp_path / 'device'}").refused("EK414", 3)
    assert "no runtime of edgekit runs .pte on 'npu'" in refusal
    assert not (tmp_path / "out").exists()
    onnx = (*argv[:6], "onnx", *argv[7:])
    refusal = command(*onnx, "--accelerator", "npu", "--device", f"local://{tmp_path / 'device'}").refused("EK102", 2)
    assert "target 'host' has no npu that runs files of 'onnx'" in refusal
    assert "hint: --accelerator cpu" in refusal
