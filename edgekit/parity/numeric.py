"""Numeric parity of one artifact on two machines, whose kernels may round differently."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgekit.errors import DataError
from edgekit.ir.measurement import Array, Measurement
from edgekit.ir.plural import counted
from edgekit.ir.record import Record
from edgekit.ir.signature import Signature
from edgekit.parity.compare import check_values
from edgekit.parity.gate_texts import decimal, percent
from edgekit.tasks.task import Task
from edgekit.tasks.task_over_time import of_sequences


class NumericParity(Record):
    """Difference between the outputs of one artifact on a device and on the host, over the same samples."""

    sentence: str
    """The finding for someone who is no engineer."""
    samples: int
    equal_share: float
    """Share of the output values that are equal, bit for bit or both zero."""
    within_one_step_share: float | None
    """Share of the values at most one quantization step apart; null where an output is not quantized."""
    worst: float
    """The largest difference, in real units."""
    worst_steps: int | None
    """The same in quantization steps of the output it is in; null where an output is not quantized."""
    value_range: float
    """Range of the host's values, largest minus smallest, of the output that `worst` is in."""
    same_answers: float
    """Agreement of the answers of both, right or wrong: for classification, the share of samples with the same."""


def parity_sentence(
    equal_share: float, worst: float, worst_steps: int | None, value_range: float, same_answers: float
) -> str:
    """Sentence of a `NumericParity` with these fields."""
    if equal_share == 1:
        return "the device computes the very same values as the host"
    answers = "every answer is the same" if same_answers == 1 else f"{_most(same_answers)} answers agree"
    others = _least(1 - equal_share)
    if worst_steps == 1:
        return f"the device's values are equal to the host's, or off by one step in {others} of values; {answers}"
    steps = f" ({counted(worst_steps, 'step')})" if worst_steps else ""
    apart = f"{worst:.2g}{steps} on a range of {value_range:.3g}"
    return f"the device's values are equal to the host's, or off by at most {apart} in {others} of values; {answers}"


def numeric_parity(host: Measurement, device: Measurement, signature: Signature, task: Task) -> NumericParity:
    """Compare the outputs of the artifact with `signature` on the host and on the device, value by value.

    Raises DataError if the two measured other samples or gave other outputs, or if values are not finite.
    """
    steps = {spec.name: spec.affine.scale if spec.affine else None for spec in signature.reported}
    if host.samples_digest != device.samples_digest or not steps.keys() <= host.outputs.keys() & device.outputs.keys():
        raise DataError("host and device measured other samples, or have other outputs: nothing to compare")
    pairs = [_differences(name, host.outputs, device.outputs) for name in steps]
    apart = [difference for difference, _ in pairs]
    counted = [_in_steps(difference, step) for difference, step in zip(apart, steps.values(), strict=True)]
    widest = max(range(len(pairs)), key=lambda k: float(apart[k].max(initial=0)) / (pairs[k][1] or 1))
    stepped = [column for column in counted if column is not None]
    quantized = len(stepped) == len(counted)
    ours, theirs = ({name: side.outputs[name] for name in steps} for side in (device, host))
    equal_share = _share([difference == 0 for difference in apart])
    worst = float(apart[widest].max(initial=0))
    worst_steps = int(stepped[widest].max(initial=0)) if quantized else None
    value_range = pairs[widest][1]
    task = of_sequences(task, host.length, host.labels)
    same_answers = float(task.agreement(task.answers(theirs), task.answers(ours)).mean())
    return NumericParity(
        sentence=parity_sentence(equal_share, worst, worst_steps, value_range, same_answers),
        samples=len(host),
        equal_share=equal_share,
        within_one_step_share=_share([column <= 1 for column in stepped]) if quantized else None,
        worst=worst,
        worst_steps=worst_steps,
        value_range=value_range,
        same_answers=same_answers,
    )


def _differences(name: str, host: Mapping[str, Array], device: Mapping[str, Array]) -> tuple[Array, float]:
    """Absolute differences float64 [values] of one output, and the range of the host's values."""
    ours, theirs = device[name], host[name]
    if ours.shape != theirs.shape:
        raise DataError(f"output '{name}' is {list(theirs.shape)} on the host, {list(ours.shape)} on the device")
    check_values(theirs, len(theirs), f"output '{name}' on the host")
    check_values(ours, len(ours), f"output '{name}' on the device")
    wide = theirs.astype(np.float64)
    return np.abs(ours.astype(np.float64) - wide).ravel(), float(wide.max() - wide.min())


def _in_steps(difference: Array, step: float | None) -> Array | None:
    # Real values of quantized outputs are float32: rounding gives the number of steps.
    return None if step is None else np.rint(difference / step).astype(np.int64)


def _share(columns: list[Array]) -> float:
    """Share of true values in all of the columns together."""
    return sum(int(column.sum()) for column in columns) / sum(map(len, columns))


def _least(share: float) -> str:
    """Format a share that is not zero, so that it is not shown as zero."""
    return f"{decimal(100 * share, 1)} %" if share >= 0.001 else "less than 0.1 %"


def _most(share: float) -> str:
    """Format a share that is not one, so that it is not shown as one."""
    return percent(min(share, 0.99999)) + " of"
