"""Readings of the gates on accelerators: a value where one was chosen and measured, else why there is none."""

from __future__ import annotations

import pytest

from edgekit.parity.accelerator_readings import GATES, AcceleratorTrial, accelerator_reading
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.statistics.estimate import Estimate, exact

NPU = AcceleratorTrial("qnn-htp", "1.00 ms, and 2.00 ms on the CPU", 0.9, 0.5, agreement=0.98)


def test_what_was_chosen_has_a_value_for_each_gate() -> None:
    assert [accelerator_reading(name, NPU, emulated=False) for name in GATES] == [exact(0.9), exact(0.5), exact(0.98)]


@pytest.mark.parametrize("name", GATES)
def test_without_an_accelerator_there_is_a_reason(name: str) -> None:
    assert accelerator_reading(name, None, emulated=False) == MissingValue(
        "no accelerator was tried: the target states none for this backend, or no device was probed"
    )
    on_cpu = AcceleratorTrial("cpu", "qnn-htp: a hang")
    assert accelerator_reading(name, on_cpu, emulated=False) == MissingValue("it runs on the CPU: qnn-htp: a hang")
    unknown = accelerator_reading(name, AcceleratorTrial("qnn-htp", ""), emulated=False)
    assert isinstance(unknown, MissingValue)


def test_a_stand_in_has_no_time_but_operators_and_answers() -> None:
    software = AcceleratorTrial("litert-gpu", "", 1.0, 2.0, software=True, agreement=1.0)
    for trial, emulated in ((software, False), (NPU, True)):
        readings = [accelerator_reading(name, trial, emulated) for name in GATES]
        assert isinstance(readings[0], Estimate)
        assert "a program that stands in" in str(readings[1])
        assert isinstance(readings[2], Estimate)
