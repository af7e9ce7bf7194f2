"""Parity of two language models, token by token: ratio of perplexities, divergence, and choice of the next token.

The figures are those that llama.cpp's perplexity tool made usual (docs/language-models.md): both models read the same
texts, and every figure is of pairs at the same place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Literal

import numpy as np
from pydantic import Field

from edgekit.ir.measurement import Array
from edgekit.ir.record import Record
from edgekit.parity.gate_texts import decimal, percent
from edgekit.parity.statistics.bootstrap import RESAMPLES, SEED
from edgekit.parity.statistics.estimate import Estimate
from edgekit.parity.statistics.proportions import wilson
from edgekit.tasks.language_model import LanguageModel
from edgekit.tasks.task import Answers, Task
from edgekit.tasks.task_over_time import TaskOverTime
from edgekit.tasks.token_pairs import TokenPairs
from edgekit.tasks.user_functions import CustomTask

CONFIDENCE = 0.95
FEW_TEXTS = 10
"""Fewer texts than this say too little about how texts differ: then intervals are over tokens."""
TAIL_TOKENS = 1000
"""Fewest tokens that have a 99.9th percentile."""
_CELLS = 2_000_000
"""Counts drawn at once, so that a bootstrap over many texts stays within 16 MB."""


class TokenEstimate(Record):
    """Figure over all tokens, between the ends of its 95 % interval."""

    value: float
    low: float
    high: float


class TokenParity(Record):
    """Parity of two language models over the same tokens."""

    sentence: str
    """The finding for someone who is no engineer."""
    tokens: int
    """Places that were compared."""
    texts: int
    interval_over: Literal["texts", "tokens"]
    """Unit that intervals are over: texts, as tokens of one text are alike; single tokens where texts are few."""
    reference_perplexity: TokenEstimate | None = None
    """Perplexity of the reference; left out where the texts have no labels."""
    candidate_perplexity: TokenEstimate | None = None
    """Perplexity of the candidate; left out where the texts have no labels."""
    perplexity_ratio: TokenEstimate | None = None
    """Perplexity of the candidate over that of the reference, paired; left out where the texts have no labels."""
    kl_mean: TokenEstimate
    """Mean Kullback-Leibler divergence of the candidate's distributions from the reference's, in nats."""
    kl_median: float
    kl_p99: float
    kl_p999: float | None = None
    """99.9th percentile of the divergence, in nats; left out below 1,000 tokens."""
    kl_max: float
    same_top: TokenEstimate
    """Share of the places where both give the same token the largest probability."""
    delta_p_mean: TokenEstimate | None = None
    """Mean change of the probability of the token that follows, candidate minus reference, in [-1, 1]."""
    delta_p_rms: float | None = Field(None, ge=0)
    """Root of the mean square of that change."""


def token_parity(reference: Answers, candidate: Answers, labels: Array | None, task: Task) -> TokenParity | None:
    """Compare answers of `task`, token by token; None if it is no language model.

    labels: as `task` scores them, or None where there are none.
    """
    text = None
    if isinstance(task, TaskOverTime):
        text = np.repeat(np.arange(len(task.length)), task.length) if task.per_step else None
        labels, task = None if labels is None else task.view(labels), task.step
    if isinstance(task, CustomTask):
        reference, candidate, labels = reference[1], candidate[1], None if task.scoring else labels
        task = task.task
    if not isinstance(task, LanguageModel):
        return None
    text = np.arange(len(reference)) if text is None else text
    return summary(task.token_pairs(reference, candidate, labels, text))


def summary(pairs: TokenPairs) -> TokenParity:
    """Summarize pairs of at least one place."""
    means = TokenMeans(pairs.text)
    same = _share(pairs.same_top, means)
    kl = pairs.divergence
    tail = float(np.quantile(kl, 0.999)) if len(kl) >= TAIL_TOKENS else None
    ratio = reference = candidate = delta = rms = None
    if pairs.likelihoods is not None:
        ours, theirs = pairs.likelihoods
        reference, candidate, ratio = (
            _estimate(means.of(values), np.exp) for values in (-ours, -theirs, ours - theirs)
        )
        change = np.exp(theirs) - np.exp(ours)
        delta, rms = _estimate(means.of(change)), float(np.sqrt((change**2).mean()))
    return TokenParity(
        sentence=_sentence(ratio, same),
        tokens=len(pairs),
        texts=means.texts,
        interval_over="texts" if means.over_texts else "tokens",
        reference_perplexity=reference,
        candidate_perplexity=candidate,
        perplexity_ratio=ratio,
        kl_mean=_estimate(means.of(kl)),
        kl_median=float(np.median(kl)),
        kl_p99=float(np.quantile(kl, 0.99)),
        kl_p999=tail,
        kl_max=float(kl.max()),
        same_top=same,
        delta_p_mean=delta,
        delta_p_rms=rms,
    )


class TokenMeans:
    """Means over tokens with intervals that know that tokens of one text are alike, or over single tokens.

    Over texts: paired cluster bootstrap (Cameron, Gelbach and Miller 2008), whole texts drawn with a fixed seed, ends
    at the percentiles. Over tokens: the mean and its standard error, the interval that llama.cpp's figures stand for.
    """

    def __init__(self, text: Array) -> None:
        """text: int64 [M], index of the text of each place."""
        names, self._unit = np.unique(text, return_inverse=True)
        self.texts = len(names)
        self.over_texts = FEW_TEXTS <= self.texts < len(text)
        self._counts = np.bincount(self._unit)

    def of(self, values: Array) -> Estimate:
        """Mean of values float64 [M] with its 95 % interval."""
        mean = float(values.mean())
        low, high = self._drawn(values) if self.over_texts else _normal(values)
        return Estimate(mean, min(mean, low), max(mean, high))

    def _drawn(self, values: Array) -> tuple[float, float]:
        sums, rng, means = np.bincount(self._unit, values), np.random.default_rng(SEED), []
        batch, even = max(1, _CELLS // self.texts), np.full(self.texts, 1 / self.texts)
        for start in range(0, RESAMPLES, batch):
            draws = rng.multinomial(self.texts, even, size=min(batch, RESAMPLES - start))
            means.append((draws @ sums) / (draws @ self._counts))
        low, high = np.quantile(np.concatenate(means), ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2))
        return float(low), float(high)


def _normal(values: Array) -> tuple[float, float]:
    """Mean of float64 [M], less and plus its standard error times the normal quantile; the mean alone for one value."""
    if len(values) < 2:
        return float(values.mean()), float(values.mean())
    half = NormalDist().inv_cdf((1 + CONFIDENCE) / 2) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return float(values.mean()) - half, float(values.mean()) + half


def _estimate(mean: Estimate, scale: Callable[[float], float] = float) -> TokenEstimate:
    """Record of a mean on another, increasing scale."""
    return TokenEstimate(value=float(scale(mean.value)), low=float(scale(mean.low)), high=float(scale(mean.high)))


def _share(same: Array, means: TokenMeans) -> TokenEstimate:
    """Share of places, by the wider of both intervals: a bootstrap of places that are all the same has no width."""
    drawn, score = means.of(same.astype(np.float64)), wilson(float(same.mean()), len(same), CONFIDENCE)
    return TokenEstimate(value=drawn.value, low=min(drawn.low, score.low), high=max(drawn.high, score.high))


def _sentence(ratio: TokenEstimate | None, same: TokenEstimate) -> str:
    choice = f"chooses the same next token as the reference at {percent(same.value)} of the places"
    if ratio is None:
        return f"The candidate {choice}."
    if ratio.low <= 1 <= ratio.high:
        widest = max(abs(ratio.low - 1), abs(ratio.high - 1))
        change = f"finds these texts neither harder nor easier to predict, within {_percent(widest)}"
    else:
        word, least = ("harder", ratio.low) if ratio.value > 1 else ("easier", ratio.high)
        most = ratio.high if ratio.value > 1 else ratio.low
        sure = f"{_percent(abs(least - 1))} to {_percent(abs(most - 1))}"
        change = f"finds these texts {_percent(abs(ratio.value - 1))} {word} to predict ({sure})"
    return f"The candidate {change}, and {choice}."


def _percent(share: float) -> str:
    """Format a share with two significant digits below 1 %, else one decimal."""
    return f"{decimal(100 * share, 1 if share >= 0.01 else 3)} %"
