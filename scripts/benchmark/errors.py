"""Error rates of the verdict's bounds where 5 % are stated: exact for independent samples, else by simulation."""

from __future__ import annotations

import argparse
import json

import numpy as np
from scipy.stats import binom

from edgekit.ir.measurement import Array
from edgekit.parity.statistics.clusters import cluster_bootstrap
from edgekit.parity.statistics.estimate import normal_quantile
from edgekit.parity.statistics.proportions import tango_bounds, tango_statistic
from edgekit.parity.statistics.sequential import look_confidences, look_counts

CONFIDENCE = 0.95
SHARES = ((0.01, 0.0), (0.015, 0.005), (0.03, 0.02), (0.06, 0.05), (0.005, 0.005), (0.02, 0.0))
"""Shares of samples that are lost and won."""
COUNTS = (50, 100, 300, 500, 1000, 2000)
LEAST = 1e-7
"""Chance of a number of flips below which it is left out."""


def main(args: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench errors", description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000, help="simulated measurements of each case of looks")
    parser.add_argument("--group-trials", type=int, default=400, help="simulated measurements of each case of groups")
    arguments = parser.parse_args(args)
    rng = np.random.default_rng(5)
    for count in COUNTS:
        for lost, won in SHARES:
            above, below = misses(count, lost, won)
            print(json.dumps({"bounds": count, "lost": lost, "won": won, "above": above, "below": below}), flush=True)
    for total in (500, 2000, 10_000):
        for lost, won in ((0.01, 0.0), (0.02, 0.01), (0.06, 0.05)):
            passed, failed = wrong_looks(total, lost, won, arguments.trials, rng)
            row = {"looks": total, "lost": lost, "won": won, "passed": passed, "failed": failed}
            print(json.dumps(row), flush=True)
    for groups in (8, 20, 60):
        for likeness in (0.0, 0.1, 0.5, 1.0):
            missed = wrong_groups(groups, likeness, arguments.group_trials, rng)
            print(json.dumps({"groups": groups, "likeness": likeness, "above": missed}), flush=True)


def misses(count: int, lost: float, won: float) -> tuple[float, float]:
    """Chance that the upper bound lies below the true drop, and that the lower one lies above it."""
    losses = np.arange(count + 1)
    chances = binom.pmf(losses, count, lost)
    pairs = []
    for b, chance in zip(losses[chances > LEAST], chances[chances > LEAST], strict=True):
        c = np.arange(count - b + 1)
        joint = chance * binom.pmf(c, count - b, won / (1 - lost))
        pairs.append(np.stack([np.full(len(c), b), c, joint])[:, joint > LEAST / 100])
    b, c, chance = np.concatenate(pairs, axis=1)
    low, high = tango_bounds(b, c, count, CONFIDENCE)
    above, below = chance[high < lost - won - 1e-12].sum(), chance[low > lost - won + 1e-12].sum()
    return round(float(above), 4), round(float(below), 4)


def wrong_looks(total: int, lost: float, won: float, trials: int, rng: np.random.Generator) -> tuple[float, float]:
    """Share of measurements that any look passes, and fails, though the drop lies on its limit."""
    counts = look_counts(total)
    bounds = np.array([normal_quantile(one) for one in look_confidences(counts, CONFIDENCE)])[:, None]
    steps = np.diff((0, *counts))
    draws = np.stack([rng.multinomial(step, [lost, won, 1 - lost - won], trials) for step in steps]).cumsum(0)
    statistic = tango_statistic(draws[..., 0], draws[..., 1], np.array(counts)[:, None], lost - won)
    return float((statistic <= -bounds).any(0).mean()), float((statistic > bounds).any(0).mean())


def wrong_groups(groups: int, likeness: float, trials: int, rng: np.random.Generator) -> float:
    """Share of measurements of 15 samples a group whose upper bound lies below the true drop of 2 points."""
    members = np.repeat(np.arange(groups), 15)
    return float(np.mean([_bound(members, likeness, rng) < 0.02 - 1e-12 for _ in range(trials)]))


def _bound(members: Array, likeness: float, rng: np.random.Generator) -> float:
    """Upper bound of one measurement; `likeness` is the correlation of two samples of a group."""
    shared, own = rng.random(members.max() + 1)[members], rng.random(len(members))
    drawn = np.where(rng.random(len(members)) < np.sqrt(likeness), shared, own)
    differences = np.where(drawn < 0.03, 1.0, np.where(drawn < 0.04, -1.0, 0.0))
    return cluster_bootstrap(differences, members, CONFIDENCE).high
