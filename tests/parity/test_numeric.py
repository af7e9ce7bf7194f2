from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import DataError
from edgekit.ir.measurement import Array, Measurement
from edgekit.ir.signature import Affine, Signature, TensorSpec
from edgekit.parity.numeric import NumericParity, numeric_parity, parity_sentence
from edgekit.tasks.classification import Classification
from tests.parity.examples import measurement

STEP = 0.1


def _measured(**outputs: Array) -> Measurement:
    count = len(next(iter(outputs.values())))
    return replace(measurement(np.zeros(count, int), np.zeros(count, int)), outputs=outputs)


def _signature(**steps: float | None) -> Signature:
    specs = [TensorSpec(name, "int8", (1, 10), Affine(step, 0) if step else None) for name, step in steps.items()]
    return Signature((), tuple(specs))


def _grid(random: np.random.Generator, count: int = 100) -> Array:
    """Dequantized int8: float32 [count, 10]."""
    return (random.integers(-100, 100, (count, 10)) * STEP).astype(np.float32)


def _parity(host: Array, device: Array, step: float | None = STEP) -> NumericParity:
    return numeric_parity(_measured(output=host), _measured(output=device), _signature(output=step), Classification())


HOST = _grid(np.random.default_rng(0))


def test_equal_outputs_are_said_to_be_equal() -> None:
    parity = _parity(HOST, HOST.copy())
    assert (parity.samples, parity.equal_share, parity.within_one_step_share, parity.worst) == (100, 1.0, 1.0, 0.0)
    assert (parity.worst_steps, parity.same_answers) == (0, 1.0)
    assert parity.sentence == "the device computes the very same values as the host"


def test_values_off_by_one_step_are_counted() -> None:
    device = HOST.copy()
    device[:3, 0] -= np.float32(STEP)
    parity = _parity(HOST, device)
    assert (parity.equal_share, parity.within_one_step_share, parity.worst_steps) == (0.997, 1.0, 1)
    assert parity.worst == pytest.approx(STEP, rel=1e-4)
    assert parity.sentence == (
        "the device's values are equal to the host's, or off by one step in 0.3 % of values; every answer is the same"
    )


def test_the_worst_difference_is_told_with_the_range_it_is_on() -> None:
    device = HOST.copy()
    device[0] = HOST[0, ::-1] + 3
    parity = _parity(HOST, device)
    assert (parity.worst_steps or 0) > 1
    assert parity.within_one_step_share == pytest.approx(0.99, abs=0.002)
    assert parity.value_range == pytest.approx(19.9, rel=1e-4)
    assert "steps) on a range of 19.9 in 1 % of values; 99 % of answers agree" in parity.sentence


def test_a_float_output_has_no_steps() -> None:
    parity = _parity(HOST, HOST + np.float32(1e-6), step=None)
    assert (parity.worst_steps, parity.within_one_step_share) == (None, None)
    assert parity.worst == pytest.approx(1e-6, rel=0.5)
    assert "step" not in parity.sentence


def test_of_several_outputs_the_worst_for_its_range_is_told() -> None:
    small = (HOST / 1000).astype(np.float32)
    host, device = _measured(large=HOST, small=small), _measured(large=HOST + 0, small=small * np.float32(1.5))
    parity = numeric_parity(host, device, _signature(large=None, small=None), Classification())
    assert parity.value_range == pytest.approx(0.0199, rel=1e-3)
    assert parity.equal_share >= 0.5


@pytest.mark.parametrize(("wide", "constant", "worst"), [(0.1, 0.5, 0.5), (5.97, 0.5, 0.5), (19.9, 0.5, 19.9)])
def test_a_constant_output_is_off_by_as_much_as_it_is(wide: float, constant: float, worst: float) -> None:
    flat = np.zeros_like(HOST)
    host, device = _measured(large=HOST, flat=flat), _measured(large=HOST + wide, flat=flat + np.float32(constant))
    assert numeric_parity(host, device, _signature(large=None, flat=None), Classification()).worst == pytest.approx(
        worst, 1e-4
    )


@pytest.mark.parametrize(
    ("equal", "same", "end"),
    [
        (0.999, 1.0, "0.1 % of values; every answer is the same"),
        (0.9995, 1.0, "less than 0.1 % of values; every answer is the same"),
        (0.5, 0.999999, "50 % of values; 99.999 % of answers agree"),
        (0.5, 0.98, "50 % of values; 98 % of answers agree"),
    ],
)
def test_a_share_is_told_as_it_is_and_never_as_none_or_all(equal: float, same: float, end: str) -> None:
    sentence = parity_sentence(equal, worst=STEP, worst_steps=1, value_range=19.9, same_answers=same)
    assert sentence.endswith(f"off by one step in {end}")


@given(share=st.floats(0, 1), seed=st.integers(0, 99))
def test_a_share_is_never_rounded_to_none_or_all(share: float, seed: int) -> None:
    device = HOST.copy()
    moved = np.random.default_rng(seed).random(device.shape) < share
    device[moved] += np.float32(STEP)
    parity = _parity(HOST, device)
    assert parity.equal_share == pytest.approx(1 - moved.mean())
    assert (" 0 %" in parity.sentence, "100 % of answers" in parity.sentence) == (False, False)


@pytest.mark.parametrize(
    ("device", "message"),
    [
        (replace(_measured(output=HOST), samples_digest="cd" * 32), "measured other samples"),
        (_measured(other=HOST), "have other outputs"),
        (_measured(output=HOST[:, :5]), r"'output' is \[100, 10\] on the host, \[100, 5\] on the device"),
        (_measured(output=np.where(HOST[0, 0] == HOST, np.nan, HOST)), "'output' on the device holds NaN"),
    ],
)
def test_what_cannot_be_compared_is_refused(device: Measurement, message: str) -> None:
    with pytest.raises(DataError, match=message):
        numeric_parity(_measured(output=HOST), device, _signature(output=STEP), Classification())
