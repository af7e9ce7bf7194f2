"""Answers of two endpoints to perturbed samples, with losses planted in them; nothing is built."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.comparison import Comparison
from edgekit.parity.robustness.condition_scores import CleanAnswers
from edgekit.parity.robustness.robustness import Robustness
from edgekit.perturb.condition import Condition
from edgekit.perturb.input_domain import InputDomain
from edgekit.perturb.registry import PERTURBATIONS
from edgekit.specs.inputs import Input
from edgekit.tasks.classification import Classification
from tests.parity.examples import CLASSES, comparison, logits

SPEC = Input.model_validate({"shape": [3, 32, 32], "preprocess": {"from": "uint8 NHWC", "scale": 1 / 255}})
DOMAIN = InputDomain("image", SPEC, Path())
CONDITIONS = [
    Condition(each, severity, DOMAIN)
    for each in PERTURBATIONS
    if each.kind == "pictures"
    for severity in each.severities
]
COUNT = 800

Loss = Callable[[Condition], float]
"""Share of the samples that an endpoint gets wrong under a condition, beside its few errors on clean ones."""


def own(condition: Condition) -> float:
    """Loss of a network as they are: it grows with severity; little by systematic noise, next to none by shifts."""
    family = condition.perturbation.family
    return {"natural": 0.04 * condition.severity, "systematic": 0.03, "shift": 0.01}[family]


def answers(labels: Array, wrong: float, seed: int, clean: Array | None = None) -> Array:
    """Answers of which a share is wrong, by chance; those that are wrong on clean samples stay so."""
    rng = np.random.default_rng(seed)
    base = labels.copy() if clean is None else clean.copy()
    mistaken = rng.random(len(labels)) < wrong
    base[mistaken] = (labels[mistaken] + 1 + rng.integers(0, 2, mistaken.sum())) % CLASSES
    return base


def measured(candidate: Loss = own, reference: Loss = own, clean_wrong: float = 0.05, seed: int = 0) -> Comparison:
    """Comparison of two endpoints whose losses under each condition are given, with a top-1 that passes."""
    labels = np.arange(COUNT) % CLASSES
    theirs = answers(labels, clean_wrong, seed)
    ours = answers(labels, 0.002, seed + 1, theirs)
    clean = CleanAnswers.of({"y": logits(theirs)}, {"y": logits(ours)}, labels, Classification())
    scores = []
    for i, condition in enumerate(CONDITIONS):
        # Mostly the same samples are lost by both, as both are of one network.
        shared = seed + 1000 + i
        lost, mine = reference(condition), candidate(condition)
        answer = recovered(labels, answers(labels, max(lost, 0), shared, theirs), max(-lost, 0), shared)
        other = recovered(labels, answers(labels, max(mine, 0), shared, ours), max(-mine, 0), shared)
        scores.append(clean.under(condition, {"y": logits(answer)}, {"y": logits(other)}))
    robustness = Robustness(clean.task.metric, clean.scores, tuple(scores), COUNT, 2 * COUNT, "ab" * 32)
    return replace(comparison(COUNT, 3, 2, 40), robustness=robustness)


def recovered(labels: Array, given: Array, share: float, seed: int) -> Array:
    """Answers of which so many more are right, as a network has that is given at last what it was trained on."""
    wrong = np.flatnonzero(given != labels)
    chosen = np.random.default_rng(seed).permutation(wrong)[: round(share * len(labels))]
    return np.where(np.isin(np.arange(len(labels)), chosen), labels, given)


def brittle(name: str, more: float) -> Loss:
    return lambda condition: own(condition) + (more if name in condition.perturbation.name else 0.0)


def trained_on_bgr(condition: Condition) -> float:
    """Loss of a network that was trained on the other order of colours: it gains by that one, and loses as others."""
    return -0.12 if condition.perturbation.name == "BGR for RGB" else own(condition)
