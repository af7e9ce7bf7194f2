"""Early stopping over many orders of the same samples: how many are asked, and is the verdict that of all of them?"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.measure import store
from edgekit.parity.paired_answers import PairedAnswers
from edgekit.parity.statistics.estimate import normal_quantile
from edgekit.parity.statistics.proportions import tango_statistic
from edgekit.parity.statistics.sequential import look_confidences, look_counts
from edgekit.specs.project import Project
from edgekit.tasks.classification import Classification
from edgekit.tasks.registry import task_of

DROP, AGREEMENT, CONFIDENCE = 0.01, 0.97, 0.95


def main(args: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench stops", description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+", help="--out of runs: measurements of both endpoints")
    parser.add_argument("--project", type=Path, help="project whose task holds; default: classification")
    parser.add_argument("--orders", type=int, default=1000)
    parser.add_argument("--shifts", action="store_true", help="also with the drop moved onto its limit")
    arguments = parser.parse_args(args)
    for folder in arguments.folders:
        paired = answers(folder, arguments.project)
        rng = np.random.default_rng(0)
        lost, won, alike = paired.differences > 0, paired.differences < 0, paired.agreements == 1
        print(json.dumps({"run": folder.name, **simulated(lost, won, alike, arguments.orders, rng)}))
        if arguments.shifts:
            lost = on_the_limit(lost, won, rng)
            print(json.dumps({"run": f"{folder.name}, drop on its limit", **errors(lost, won, arguments.orders, rng)}))


def answers(folder: Path, project: Path | None) -> PairedAnswers:
    reference, candidate = store.load(folder / "reference"), store.load(folder / "candidate")
    task = task_of(Project.read(project)) if project else Classification()
    outputs = {name: candidate.outputs[name] for name in reference.outputs}
    return PairedAnswers.of(task.answers(reference.outputs), task.answers(outputs), reference.labels, task)


def simulated(lost: Array, won: Array, alike: Array, orders: int, rng: np.random.Generator) -> Mapping[str, object]:
    """Share of orders whose verdict is that of all samples, and the samples asked in them."""
    total = len(lost)
    counts = look_counts(total)
    bounds = np.array([normal_quantile(one) for one in look_confidences(counts, CONFIDENCE)])
    whole = _verdict(lost.sum(), won.sum(), alike.sum(), total, normal_quantile(CONFIDENCE), last=True)
    asked, same = [], 0
    for _ in range(orders):
        order = rng.permutation(total)
        sums = [np.cumsum(one[order])[np.array(counts) - 1] for one in (lost, won, alike)]
        for k, count in enumerate(counts):
            lost_so_far, won_so_far, alike_so_far = (one[k] for one in sums)
            verdict = _verdict(lost_so_far, won_so_far, alike_so_far, count, bounds[k], last=count == total)
            if verdict != 0:
                break
        asked.append(count)
        same += verdict == whole
    return {
        "samples": total,
        "lost": int(lost.sum()),
        "won": int(won.sum()),
        "disagree": int(total - alike.sum()),
        "verdict": {1: "passed", 0: "undecided", -1: "failed"}[whole],
        "same_verdict": same / orders,
        "asked_mean": round(float(np.mean(asked)), 1),
        "asked_p90": int(np.quantile(asked, 0.9)),
        "times_fewer": round(total / float(np.mean(asked)), 2),
    }


def errors(lost: Array, won: Array, trials: int, rng: np.random.Generator) -> Mapping[str, object]:
    """Share of simulated sets, drawn with replacement, whose drop is passed or failed though it lies on its limit."""
    total = len(lost)
    counts = np.array(look_counts(total))
    bounds = np.array([normal_quantile(one) for one in look_confidences(tuple(counts), CONFIDENCE)])
    shares = [lost.mean(), won.mean(), 1 - lost.mean() - won.mean()]
    steps = np.diff((0, *counts))
    draws = np.stack([rng.multinomial(step, shares, max(trials, 10_000)) for step in steps]).cumsum(0).astype(float)
    limit = np.float64(shares[0] - shares[1])
    statistic = tango_statistic(draws[..., 0], draws[..., 1], counts[:, None].astype(float), limit)
    passed, failed = (statistic <= -bounds[:, None]).any(0).mean(), (statistic > bounds[:, None]).any(0).mean()
    return {"drop": float(limit), "passed": float(passed), "failed": float(failed), "stated": 1 - CONFIDENCE}


def on_the_limit(lost: Array, won: Array, rng: np.random.Generator) -> Array:
    """Flags of lost samples with as many added, or taken away, as move the drop onto its limit."""
    moved = lost.copy()
    need = round(DROP * len(lost)) - int(lost.sum() - won.sum())
    places = np.flatnonzero(~(lost | won) if need > 0 else lost)
    moved[rng.permutation(places)[: abs(need)]] = need > 0
    return np.asarray(moved)


def _verdict(lost: float, won: float, alike: float, count: int, bound: float, last: bool) -> int:
    """1 passed, -1 failed, 0 undecided: the gates on the drop, and on agreement, which states no confidence."""
    statistic = float(tango_statistic(lost, won, count, DROP))
    drop = 1 if statistic <= -bound else -1 if statistic > bound else 0
    share = alike / count
    distance = (share - AGREEMENT) / np.sqrt(AGREEMENT * (1 - AGREEMENT) / count)  # Wilson's bounds invert this
    if last:
        agreement = 1 if share >= AGREEMENT else -1
    else:
        agreement = 1 if distance >= bound else -1 if distance < -bound else 0
    if not drop or not agreement:
        return -1 if last and -1 in (drop, agreement) else 0
    return min(drop, agreement)
