"""Planted regressions of signals: as accurate as the reference, and brittle to what the field does to a recording."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.robustness.condition_scores import CleanAnswers, ConditionScores
from edgekit.parity.robustness.record import robustness_record
from edgekit.parity.robustness.robustness import Robustness
from edgekit.perturb.input_domain import InputDomain
from edgekit.perturb.registry import perturbation_plan
from edgekit.samples import Samples
from edgekit.tasks.classification import Classification
from tests.parity.examples import comparison
from tests.parity.gate_examples import facts, judged
from tests.perturb.signal_sets import domain_of

RATE = 8000
TONES = (300, 500, 800, 1200)
Model = Callable[[Array], Array]


def keywords(count: int = 40) -> Samples:
    """Tones of four frequencies in a little noise, float32 [N, 1, 2000], with the number of the frequency."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 4
    times = np.arange(2000) / RATE
    phases = 2 * np.pi * (np.array(TONES)[labels, None] * times + random.random((count, 1)))
    waves = random.uniform(0.2, 0.6, (count, 1)) * np.sin(phases) + random.normal(scale=0.001, size=(count, 2000))
    return Samples({"x": waves[:, None].astype(np.float32)}, labels)


def by_spectrum(waves: Array) -> Array:
    """Class by the energy at each tone: what a network learns that has seen noise."""
    turns = np.exp(-2j * np.pi * np.array(TONES)[:, None] * np.arange(waves.shape[-1]) / RATE)
    classes: Array = np.abs(waves[:, 0] @ turns.T).argmax(1)
    return classes


def by_crossings(waves: Array) -> Array:
    """Class by the number of crossings of zero: as good in a quiet room."""
    seconds = np.maximum(1, np.sum(waves[:, 0] != 0, axis=1)) / RATE
    rates = np.sum(np.diff(np.signbit(waves[:, 0]), axis=1), axis=1) / 2 / seconds
    classes: Array = np.abs(rates[:, None] - np.array(TONES)).argmin(1)
    return classes


def machines(count: int = 120) -> Samples:
    """Vibrations, float32 [N, 100, 1], of machines that run and machines that shake, with 0 or 1."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 2
    values = 20 + random.normal(size=(count, 100)) * np.where(labels, 1.0, 0.3)[:, None]
    return Samples({"x": values[:, :, None].astype(np.float32)}, labels)


def by_spread(values: Array) -> Array:
    classes: Array = (values[:, :, 0].std(axis=1) > 0.6).astype(np.int64)
    return classes


def by_distance(values: Array) -> Array:
    """Class by the distance from the level that a machine has: what a sensor's offset moves."""
    classes: Array = (np.abs(values[:, :, 0] - 20).mean(axis=1) > 0.5).astype(np.int64)
    return classes


GATES = ("robustness_drop", "systematic_drop", "stability_drop")
LIMIT = {"max": 0.05, "confidence": 0.95}


def measured(samples: Samples, domain: InputDomain, reference: Model, candidate: Model) -> Robustness:
    """Answers of both models to the samples as they are, and under all that fits them."""
    plan = perturbation_plan(samples, [domain])

    def outputs(model: Model, given: Samples) -> dict[str, Array]:
        return {"y": np.eye(4, dtype=np.float32)[model(given.inputs["x"])]}

    task = Classification()
    clean = CleanAnswers.of(outputs(reference, samples), outputs(candidate, samples), samples.labels, task)
    scores = []
    for condition, each in zip(plan.fitting, plan.sets(samples), strict=True):
        given = each.make()
        scores.append(clean.under(condition, outputs(reference, given), outputs(candidate, given)))
    count = len(samples)
    return Robustness(task.metric, clean.scores, tuple(scores), count, count, plan.digest, plan.unfit)


def outcomes(robustness: Robustness) -> dict[str, tuple[str, str | None]]:
    """Outcome of each gate, and the perturbation that it names."""
    inputs = facts(replace(comparison(100, 3, 2, 40), robustness=robustness))
    results = {gate: judged(gate, LIMIT, inputs) for gate in GATES}
    return {gate: (result.outcome, result.worst) for gate, result in results.items()}


def test_a_keyword_spotter_that_is_brittle_to_noise_is_told_by_its_gate() -> None:
    domain = domain_of({"shape": [1, 2000], "signal": {"kind": "recordings", "rate": RATE}})
    robustness = measured(keywords(), domain, by_spectrum, by_crossings)
    assert robustness.clean
    assert [scores.value for scores in robustness.clean] == [1, 1]  # top-1 sees nothing
    told = outcomes(robustness)
    assert told["robustness_drop"] == ("failed", "white noise")
    assert told["systematic_drop"][0] == "undecided"  # nothing is lost, by 42 samples: a bound of 7 points
    assert told["stability_drop"][0] == "passed"
    record = robustness_record(robustness)
    assert record
    assert "compression adds most to 'white noise'" in record.sentence
    sound = replace(robustness, conditions=tuple(_both(each) for each in robustness.conditions))
    told = outcomes(sound)
    assert (told["robustness_drop"][0], told["systematic_drop"][0]) == ("passed", "undecided")


def test_a_series_model_that_is_brittle_to_bias_is_told_by_its_gate() -> None:
    domain = domain_of({"shape": [100, 1], "signal": "series"})
    robustness = measured(machines(), domain, by_spread, by_distance)
    assert robustness.clean
    assert [scores.value for scores in robustness.clean] == [1, 1]
    told = outcomes(robustness)
    assert told["systematic_drop"] == ("failed", "bias")
    assert told["robustness_drop"] == ("failed", "drift")  # an offset that grows is one of the same kind
    assert told["stability_drop"][0] == "passed"
    assert dict(robustness.unfit) == {"missing channel": "the series has one channel, and nothing would be left"}


def _both(each: ConditionScores) -> ConditionScores:
    """Scores of a candidate that answers as the reference does."""
    assert each.scores
    return replace(each, scores=(each.scores[0], each.scores[0]), stays=(each.stays[0], each.stays[0]))
