"""Signals of a served model: numbers a row, of its answers and of its inputs.

The host computes the reference's with the same functions, so that a count on a device means what it means there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .bins import CountedInput, ScoreRule

if TYPE_CHECKING:
    from ..model.tensors import Array

LEAST = float(np.finfo(np.float32).eps)
"""Smallest probability that a logarithm is taken of."""
VALUES = 1 << 16
"""Values of a sample that its signals are made of, about: of a larger one every s-th line is looked at."""
MOST_CHANNELS = 4
CLIPPING = ("int8", "uint8", "int16", "uint16")
"""Dtypes whose first and last value stand for all beyond them."""


class AnswerSignals(NamedTuple):
    """Signals of N answers of a classifier."""

    predicted: Array
    """Class of each, int64 [N]."""
    confidence: Array
    """Largest probability of each, float64 [N]."""
    signals: Mapping[str, Array]
    """float64 [N] by name."""


def answer_signals(scores: Array, rule: ScoreRule) -> AnswerSignals:
    """Signals of scores, float [N, classes] with two classes or more, all of them finite.

    confidence, margin (first less second probability) and entropy (nats) are at the rule's temperature; energy is the
    log-sum-exp of the logits as they are (Liu et al. 2020), and there is none of probabilities.
    """
    values = scores.astype(np.float64)
    logits = values if rule.form == "logits" else np.log(np.clip(values, LEAST, 1.0))
    largest = logits.max(axis=1, keepdims=True)
    apart = logits - largest
    powers = np.exp(apart / rule.temperature)
    whole = powers.sum(axis=1, keepdims=True)
    shares = powers / whole
    two = np.partition(shares, shares.shape[1] - 2, axis=1)[:, -2:]
    # Of p log p: log p is the exponent less the logarithm of the sum.
    entropy = np.log(whole[:, 0]) - (shares * apart).sum(axis=1) / rule.temperature
    signals = {"confidence": two[:, 1], "entropy": entropy, "margin": two[:, 1] - two[:, 0]}
    if rule.form == "logits":
        signals["energy"] = largest[:, 0] + np.log(np.exp(apart).sum(axis=1))
    return AnswerSignals(logits.argmax(axis=1), two[:, 1], signals)


def input_signals(rows: Array, stated: CountedInput) -> dict[str, Array]:
    """Signals of an input, [N, …] as the model takes it, float64 [N] by name.

    Mean, standard deviation and sharpness of each channel: the mean absolute difference of neighbours along the last
    axis that is not the channels'. clipped: share of the values at the ends of an integer's range.
    """
    return dict(zip(input_names(rows, stated), input_values(rows, stated).T.astype(np.float64)))


def input_names(rows: Array, stated: CountedInput) -> list[str]:
    """Names of the columns of `input_values`."""
    channels = 1 if stated.channels is None else rows.shape[stated.channels]
    names = [f"{kind}.{k}" for kind in ("mean", "deviation", "sharpness") for k in range(channels)]
    names += ["clipped"] if rows.dtype.name in CLIPPING else []
    return [f"input.{stated.name}.{name}" for name in names]


def input_values(rows: Array, stated: CountedInput) -> Array:
    """Signals of an input, float32 [N, signals]: few calls, as a device makes them for each request that it counts."""
    values = _thinned(rows, stated.channels)
    count = len(rows)
    if stated.channels is None:
        lines = values.reshape(count, 1, 1, -1) if rows.ndim < 3 else values.reshape(count, 1, -1, rows.shape[-1])
    else:
        lines = values if stated.channels == 1 else values.transpose(0, 3, 1, 2)
    real = lines.astype(np.float32)
    channels = real.shape[1]
    size = real.shape[2] * real.shape[3]
    mean = np.add.reduce(real, axis=(2, 3)) / size
    apart = real - mean[:, :, None, None]
    deviation = np.sqrt(np.einsum("nchw,nchw->nc", apart, apart) / size)
    steps = real.shape[2] * max(1, real.shape[3] - 1)
    sharpness = np.add.reduce(np.abs(real[..., 1:] - real[..., :-1]), axis=(2, 3)) / steps
    signals = [mean, deviation, sharpness]
    if rows.dtype.name in CLIPPING:
        ends = np.iinfo(rows.dtype)
        at_end = (values == ends.min) | (values == ends.max)
        share = np.count_nonzero(at_end.reshape(count, -1), axis=1) / (channels * size)
        signals.append(share[:, None].astype(np.float32))
    return np.concatenate(signals, axis=1)


def output_signals(values: Array, name: str) -> dict[str, Array]:
    """Range of an output, numbers [N, …]: its least, mean and greatest value, float64 [N] by name."""
    flat = values.reshape(len(values), -1).astype(np.float64)
    if not flat.shape[1]:
        return {}
    ranges = {"low": flat.min(axis=1), "mean": flat.mean(axis=1), "high": flat.max(axis=1)}
    return {f"output.{name}.{kind}": each for kind, each in ranges.items()}


def counted_input(name: str, dtype: str, shape: tuple[int, ...], is_free: bool) -> CountedInput | None:
    """State how an input is measured, shape with its batch axis; None for token ids, flags, and free lengths.

    Pictures have one to four channels, first or last.
    """
    if is_free or not (dtype in CLIPPING or dtype.startswith("float")):
        return None
    if len(shape) != 4:
        return CountedInput(name, None)
    last = shape[3] <= MOST_CHANNELS < shape[1] or (shape[3] <= MOST_CHANNELS and shape[1] > shape[3])
    return CountedInput(name, 3 if last else 1) if last or shape[1] <= MOST_CHANNELS else CountedInput(name, None)


def _thinned(rows: Array, channels: int | None) -> Array:
    """Every s-th line of large samples: along the first axis behind the batch that is not the channels'."""
    size = rows[:1].size
    axis = 2 if channels == 1 else 1
    if size <= VALUES or rows.ndim < 3:
        return rows
    step = -(-size // VALUES)
    return rows[(slice(None),) * axis + (slice(None, None, step),)]
