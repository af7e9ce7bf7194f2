"""Planted regressions of signals: as accurate as the reference, and brittle to what the field does to a recording."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.input_domain import InputDomain
from edgekit.perturb.registry import perturbation_plan
from edgekit.samples import Samples
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
    rates = np.sum(np.diff(np.signbit(waves[:, 0]), axis=1), axis=1) / 2 / (waves.shape[-1] / RATE)
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


@dataclass(frozen=True)
class Drops:
    """Points of accuracy that each perturbation at its worst severity costs the candidate beyond the reference."""

    clean: float
    added: dict[str, float]


def drops(samples: Samples, domain: InputDomain, reference: Model, candidate: Model) -> Drops:
    plan = perturbation_plan(samples, [domain])

    def accuracy(model: Model, given: Samples) -> float:
        return float(np.mean(model(given.inputs["x"]) == given.labels)) * 100

    before = accuracy(reference, samples), accuracy(candidate, samples)
    added: dict[str, float] = defaultdict(lambda: -100.0)
    for condition, each in zip(plan.fitting, plan.sets(samples), strict=True):
        given = each.make()
        lost = [start - accuracy(model, given) for start, model in zip(before, (reference, candidate), strict=True)]
        name = condition.perturbation.name
        added[name] = max(added[name], lost[1] - lost[0])
    return Drops(before[0] - before[1], dict(added))


def test_a_keyword_spotter_that_is_brittle_to_noise() -> None:
    domain = domain_of({"shape": [1, 2000], "signal": {"kind": "recordings", "rate": RATE}})
    losses = drops(keywords(), domain, by_spectrum, by_crossings)
    assert losses.clean == 0
    assert losses.added["white noise"] > 50
    assert losses.added["pink noise"] > 15
    assert all(losses.added[name] < 5 for name in ("gain", "clipping", "telephone", "echo", "frame shift"))


def test_a_series_model_that_is_brittle_to_bias() -> None:
    domain = domain_of({"shape": [100, 1], "signal": "series"})
    losses = drops(machines(), domain, by_spread, by_distance)
    assert losses.clean == 0
    assert losses.added["bias"] > 40
    assert all(losses.added[name] < 5 for name in ("lost values", "step shift", "coarse converter", "time jitter"))
