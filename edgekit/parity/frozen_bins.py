"""Bins that a served model is counted in, and the reference's counts: made at build of the evaluation samples.

ATC's threshold (Garg et al. 2022) is the confidence that as many answers reach as are right; DoC (Guillory et al. 2021)
goes by the mean confidence. Both take confidences at the temperature that fits the evaluation samples.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.ir.signature import TensorSpec
from edgekit.parity.calibration.temperature import fit_temperature
from edgekit.runner.counts.bins import CountedInput, FrozenBins, ReferenceAccuracy, ScoreRule, SignalBins
from edgekit.runner.counts.signals import answer_signals, counted_input, input_signals, output_signals
from edgekit.runner.counts.window import AnswerWindow
from edgekit.tasks.class_scores import ClassScores, form_of, whole_samples
from edgekit.tasks.class_scores import refusal as score_refusal

BINS = 20
"""Quantile bins of each signal."""
DIGITS = 6
"""Significant digits of an edge: the last bits differ from machine to machine."""
LEAST_WRONG = 5
"""Wrong answers without which no temperature is fitted."""
PART = 64
"""Samples that are measured at a time."""
MAX_OUTPUTS = 16


def freeze_bins(
    task: str,
    endpoint: str,
    outputs: Mapping[str, Array],
    labels: Array | None,
    inputs: Mapping[str, Array],
    signature: Iterable[TensorSpec],
    limits: Mapping[str, Any],
    form: str | None = None,
) -> FrozenBins:
    """Freeze the bins of a model by its answers to the evaluation samples.

    endpoint: whose answers they are, `artifact` or `reference`. labels: classes, int64 [N], of a classifier; else
    None. inputs: samples [N, …] as the artifact takes them; signature: its inputs. form: form of the scores that the
    project states. A task `classification` with two classes or more has its confidences counted, every other task the
    ranges of its outputs.
    """
    name, first = next(iter(outputs.items()))
    scores = _scores(first, labels, form) if task == "classification" else None
    stated = [counted_input(spec.name, spec.dtype, spec.shape, bool(spec.free)) for spec in signature]
    measured = tuple(each for each in stated if each is not None and each.name in inputs)
    signals = _input_signals(inputs, measured)
    rule = _rule(name, scores, labels) if scores is not None else None
    ranges = () if rule else _counted_outputs(outputs)
    if rule:
        answers = answer_signals(first, rule)
        signals |= answers.signals
    for output in ranges:
        signals |= output_signals(outputs[output], output)
    bins = FrozenBins(
        task=task,
        rows=len(first),
        endpoint=endpoint,
        score=rule,
        accuracy=None,
        classes=(0,) * first.shape[1] if rule else (),
        inputs=measured,
        outputs=ranges,
        signals={key: _bins(values) for key, values in signals.items() if np.isfinite(values).all() and len(values)},
        limits=limits,
    )
    return _with_counts(bins, first, labels) if rule else bins


def _scores(values: Array, labels: Array | None, form: str | None) -> ClassScores | None:
    """Scores of the first output; None where they are no scores of two classes or more."""
    if values.ndim != 2 or values.shape[1] < 2:
        return None
    stated: Any = form
    scores = ClassScores(values, labels, whole_samples(values), form=stated)
    return None if score_refusal(scores) else scores


def _rule(output: str, scores: ClassScores, labels: Array | None) -> ScoreRule:
    """Rule with the temperature that fits, and the threshold that as many confidences reach as answers are right."""
    form = form_of(scores)
    plain = ScoreRule(output, form, 1.0, 0.0)
    if labels is None:
        return plain
    right = scores.values.argmax(axis=1) == labels
    temperature = 1.0
    if (~right).sum() >= LEAST_WRONG:
        temperature = _rounded(fit_temperature(scores, form).value)
    rule = plain._replace(temperature=temperature)
    confidence = np.sort(answer_signals(scores.values, rule).confidence)[::-1]
    count = int(right.sum())
    threshold = confidence[count - 1] if count else 1.0
    # Between the last that counts as right and the next one: devices round otherwise.
    between = (threshold + confidence[count]) / 2 if 0 < count < len(confidence) else threshold * (1 - 1e-6)
    return rule._replace(threshold=float(between))


def _with_counts(bins: FrozenBins, scores: Array, labels: Array | None) -> FrozenBins:
    """Bins with the reference's counts, counted by what counts on the device."""
    window = AnswerWindow(bins, 1)
    window.add_scores(scores)
    predicted = scores.argmax(axis=1)
    accuracy = None
    if labels is not None:
        right = int((predicted == labels).sum())
        accuracy = ReferenceAccuracy(len(scores), right, window.above, window.confidence, window.squares)
    counts = np.bincount(predicted, minlength=scores.shape[1])
    return bins._replace(accuracy=accuracy, classes=tuple(map(int, counts)))


def _input_signals(inputs: Mapping[str, Array], measured: tuple[CountedInput, ...]) -> dict[str, Array]:
    signals: dict[str, Array] = {}
    for stated in measured:
        rows = inputs[stated.name]
        parts = [input_signals(np.asarray(rows[i : i + PART]), stated) for i in range(0, len(rows), PART)]
        signals |= {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return signals


def _counted_outputs(outputs: Mapping[str, Array]) -> tuple[str, ...]:
    numbers = [name for name, values in outputs.items() if values.dtype.kind in "fiu" and values.size]
    return tuple(numbers[:MAX_OUTPUTS])


def _bins(values: Array) -> SignalBins:
    """Quantile bins: of equal counts, or fewer where values are the same."""
    quantiles = np.quantile(values, np.arange(1, BINS) / BINS, method="lower")
    edges = sorted({_rounded(float(edge)) for edge in quantiles if edge > values.min()})
    counts = np.bincount(np.asarray(edges).searchsorted(values, "right"), minlength=len(edges) + 1)
    return SignalBins(tuple(edges), tuple(map(int, counts)))


def _rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")
