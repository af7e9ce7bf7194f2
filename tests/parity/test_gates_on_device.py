"""Gates that only a device can decide: against the float file, and on its GPU."""

from __future__ import annotations

from dataclasses import replace

import pytest

from edgekit.parity.gate_inputs import Device, GateInputs
from edgekit.parity.gates import GateResult, verdict
from tests.parity.examples import environment
from tests.parity.gate_examples import FLOAT, STEADY, facts, judged, on_device


def against_float(known: GateInputs) -> GateResult:
    return judged("not_slower", {"max": 1.0}, known)


def test_int8_is_held_against_float_by_the_time_on_the_same_device() -> None:
    assert against_float(facts(on_device(STEADY), device="real", float_file=FLOAT)).value == 0.5
    slow = against_float(facts(on_device(3 * STEADY), device="real", float_file=FLOAT))
    assert (slow.outcome, slow.value) == ("failed", 1.5)
    assert "int8-mixed" in slow.meaning
    noisy = facts(on_device(STEADY, "the machine was busy"), device="real", float_file=FLOAT)
    undecided = against_float(noisy)
    assert (undecided.outcome, undecided.value) == ("undecided", None)


def test_and_by_the_instructions_where_they_are_counted() -> None:
    counted = on_device(STEADY[:0], "an emulated device has no time of its own", instructions=100_000)
    assert against_float(facts(counted, device="emulated", float_file=FLOAT)).value == 0.25
    worse = on_device(STEADY[:0], "an emulated device has no time of its own", instructions=400_001)
    assert against_float(facts(worse, device="emulated", float_file=FLOAT)).outcome == "failed"


def test_nothing_is_said_of_it_where_no_device_of_the_target_was_probed() -> None:
    stood_in = on_device(STEADY, environment=environment("local", host_stand_in=True))
    uncounted = on_device(STEADY[:0], "an emulated device has no time of its own")
    for known in (
        facts(),
        facts(stood_in, device="real", float_file=FLOAT),
        facts(on_device(STEADY), device="real"),
        facts(uncounted, device="emulated", float_file=FLOAT),
    ):
        result = against_float(known)
        assert (result.outcome, result.value) == ("not measurable", None)
        assert verdict([result]) == "passed"


@pytest.mark.parametrize(
    ("device", "provider", "stand_in", "outcome", "value"),
    [
        ("real", "cpu", False, "failed", 1.0),
        ("real", "cuda", False, "passed", 0.01),
        ("real", "tensorrt", False, "passed", 0.01),
        ("real", "cpu", True, "passed", 0.01),
        ("emulated", "cpu", False, "passed", 0.01),
        ("none", "cpu", True, "passed", 0.01),
    ],
)
def test_a_board_that_ran_a_model_for_its_gpu_on_its_cpu_has_fallen_back(
    device: Device, provider: str, stand_in: bool, outcome: str, value: float
) -> None:
    where = replace(environment(host_stand_in=stand_in), provider=provider, planned_provider="tensorrt")
    result = judged("fallback_share", {"max": 0.02}, facts(on_device(STEADY, environment=where), device=device))
    assert (result.outcome, result.value) == (outcome, value)
    assert ("ran all of it on its CPU" in result.meaning) == (outcome == "failed")


def test_what_is_built_for_the_cpu_has_not_fallen_back_on_it() -> None:
    where = replace(environment(), provider="cpu", planned_provider=None)
    known = facts(on_device(STEADY, environment=where), device="real")
    assert judged("fallback_share", {"max": 0.02}, known).outcome == "passed"
