"""Parity of language models, token by token, against SciPy's functions and bootstrap over the same logits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import log_softmax, rel_entr, softmax
from scipy.stats import bootstrap, norm, sem

from edgekit.ir.measurement import Array
from edgekit.parity.gate_texts import decimal
from edgekit.parity.token_parity import TokenParity, token_parity
from edgekit.tasks.classification import Classification
from edgekit.tasks.language_model import LanguageModel
from edgekit.tasks.task_over_time import TaskOverTime
from edgekit.tasks.user_functions import CustomTask

TEXTS, PLACES, TOKENS = 40, 30, 13


def pair(texts: int = TEXTS, noise: float = 0.3) -> tuple[Array, Array, Array]:
    """Logits of a reference and of a noisy candidate [N, T, V], and labels [N, T], a tenth of which do not count."""
    random = np.random.default_rng(3)
    reference = random.normal(scale=2, size=(texts, PLACES, TOKENS)).astype(np.float32)
    candidate = reference + random.normal(scale=noise, size=reference.shape).astype(np.float32)
    labels = random.integers(0, TOKENS, (texts, PLACES))
    labels[random.random(labels.shape) < 0.1] = -1
    return reference, candidate, labels


def compared(reference: Array, candidate: Array, labels: Array | None) -> TokenParity:
    parity = token_parity(reference, candidate, labels, LanguageModel())
    assert parity is not None
    return parity


def of_next(values: Array, labels: Array) -> Array:
    """Values of the tokens that follow, [N, T], and NaN where a place does not count."""
    chosen = np.take_along_axis(values, np.maximum(labels, 0)[..., None], axis=2)[..., 0]
    return np.where(labels >= 0, chosen, np.nan)


def test_figures_are_those_of_scipy() -> None:
    reference, candidate, labels = pair()
    parity, counted = compared(reference, candidate, labels), labels >= 0
    ours, theirs = (softmax(side.astype(float), axis=2) for side in (reference, candidate))
    divergence = rel_entr(ours, theirs).sum(axis=2)[counted]
    assert (parity.tokens, parity.texts, parity.interval_over) == (counted.sum(), TEXTS, "texts")
    assert parity.kl_mean.value == pytest.approx(divergence.mean(), rel=1e-9)
    assert parity.kl_median == pytest.approx(np.median(divergence), rel=1e-9)
    assert parity.kl_p99 == pytest.approx(np.percentile(divergence, 99), rel=1e-9)
    assert parity.kl_p999 == pytest.approx(np.percentile(divergence, 99.9), rel=1e-9)
    assert parity.kl_max == pytest.approx(divergence.max(), rel=1e-9)
    assert parity.same_top.value == pytest.approx((ours.argmax(2) == theirs.argmax(2))[counted].mean())
    likelihoods = [of_next(log_softmax(side.astype(float), axis=2), labels)[counted] for side in (reference, candidate)]
    perplexities = [np.exp(-values.mean()) for values in likelihoods]
    assert parity.reference_perplexity is not None
    assert parity.candidate_perplexity is not None
    assert parity.perplexity_ratio is not None
    assert parity.reference_perplexity.value == pytest.approx(perplexities[0], rel=1e-9)
    assert parity.candidate_perplexity.value == pytest.approx(perplexities[1], rel=1e-9)
    assert parity.perplexity_ratio.value == pytest.approx(perplexities[1] / perplexities[0], rel=1e-9)
    change = (of_next(theirs, labels) - of_next(ours, labels))[counted]
    assert parity.delta_p_mean is not None
    assert parity.delta_p_mean.value == pytest.approx(change.mean(), rel=1e-9)
    assert parity.delta_p_rms == pytest.approx(np.sqrt((change**2).mean()), rel=1e-9)


def test_intervals_over_texts_are_those_of_a_bootstrap_that_draws_texts() -> None:
    reference, candidate, labels = pair()
    parity, counted = compared(reference, candidate, labels), (labels >= 0).sum(axis=1)
    logs = [of_next(log_softmax(side.astype(float), axis=2), labels) for side in (reference, candidate)]
    sums = np.nansum(logs[0] - logs[1], axis=1)
    drawn = bootstrap(
        (sums, counted),
        lambda total, count, axis=-1: np.exp(total.sum(axis=axis) / count.sum(axis=axis)),
        paired=True,
        vectorized=True,
        method="percentile",
        n_resamples=20_000,
        rng=1,
    ).confidence_interval
    assert parity.perplexity_ratio is not None
    width = drawn.high - drawn.low
    assert parity.perplexity_ratio.low == pytest.approx(drawn.low, abs=width / 15)
    assert parity.perplexity_ratio.high == pytest.approx(drawn.high, abs=width / 15)
    # Paired: far narrower than the perplexities themselves, which differ by the texts.
    assert parity.reference_perplexity is not None
    alone = parity.reference_perplexity
    assert width < (alone.high - alone.low) / alone.value / 3


def test_intervals_of_few_texts_are_of_tokens_by_their_standard_error() -> None:
    reference, candidate, labels = pair(texts=4)
    parity = compared(reference, candidate, labels)
    assert parity.interval_over == "tokens"
    assert parity.kl_p999 is None
    ours, theirs = (softmax(side.astype(float), axis=2) for side in (reference, candidate))
    divergence = rel_entr(ours, theirs).sum(axis=2)[labels >= 0]
    low, high = norm.interval(0.95, divergence.mean(), sem(divergence))
    assert [parity.kl_mean.low, parity.kl_mean.high] == pytest.approx([low, high])


def test_a_candidate_that_is_the_reference_has_no_divergence_and_an_honest_interval() -> None:
    reference, _, labels = pair()
    parity = compared(reference, reference, labels)
    assert parity.perplexity_ratio is not None
    assert (parity.perplexity_ratio.low, parity.perplexity_ratio.high) == (1, 1)
    assert (parity.kl_mean.value, parity.kl_max, parity.delta_p_rms) == (0, 0, 0)
    assert parity.same_top.high == 1
    assert 0.99 < parity.same_top.low < 1
    assert "neither harder nor easier to predict" in parity.sentence


def test_the_sentence_says_harder_of_a_worse_model_and_easier_of_a_better_one() -> None:
    reference, candidate, labels = pair()
    truth = np.where(np.arange(TOKENS) == labels[..., None], 0.3, 0)
    worse, better = compared(reference + truth, candidate, labels), compared(candidate, reference + truth, labels)
    ratio = worse.perplexity_ratio
    assert ratio is not None
    value, low, high = (decimal(100 * (end - 1), 1) for end in (ratio.value, ratio.low, ratio.high))
    assert f"{value} % harder to predict ({low} % to {high} %)" in worse.sentence
    assert "% easier to predict" in better.sentence


def test_without_labels_the_distributions_are_compared_alone() -> None:
    reference, candidate, _ = pair()
    parity = compared(reference, candidate, None)
    assert parity.tokens == TEXTS * PLACES
    assert parity.perplexity_ratio is None
    assert parity.delta_p_mean is None
    assert parity.sentence.startswith("The candidate chooses the same next token as the reference at ")


def test_steps_of_a_model_with_a_cache_are_the_tokens_of_a_text() -> None:
    reference, candidate, labels = pair()
    length = np.full(TEXTS, PLACES)
    for step in (LanguageModel(), CustomTask(LanguageModel(), Path())):
        over_time = TaskOverTime(step, length, per_step=True)
        ours, theirs = (over_time.answers({"logits": side}) for side in (reference, candidate))
        assert token_parity(ours, theirs, labels, over_time) == compared(reference, candidate, labels)


def test_another_task_has_no_tokens() -> None:
    scores = np.eye(4)
    assert token_parity(scores, scores, np.arange(4), Classification()) is None
