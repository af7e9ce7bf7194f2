"""Monitoring without labels: how near its estimate of the accuracy is, what it alarms on, and how often for nothing.

`shifts` asks the artifact of a bundle for samples that its bins were not made of, clean, corrupted (edgekit/perturb)
and in other mixes of classes, counts them as a device does, and holds the judgement against the labels. `quiet`
resamples the clean answers: weeks in which nothing changes. Seeds are fixed; answers are kept in --answers.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.devices.windows import AnswerCounts
from edgekit.ir.measurement import Array
from edgekit.monitor.accuracy_estimate import accuracy_now, confidence_shift
from edgekit.monitor.judgement import judge
from edgekit.monitor.quiet_null import WINDOWS_A_WEEK, distance_bound, window_level
from edgekit.monitor.shifts import signal_shifts
from edgekit.monitor.window_sum import WindowSum
from edgekit.parity.statistics.estimate import normal_quantile
from edgekit.perturb.draws import sample_keys
from edgekit.perturb.input_domain import input_domains
from edgekit.perturb.registry import perturbation_plan
from edgekit.pipeline.bundle_with_bins import SAMPLES
from edgekit.runner.counts.bins import FrozenBins
from edgekit.runner.counts.signals import answer_signals, input_signals
from edgekit.runner.counts.window import AnswerWindow
from edgekit.runner.layout import MONITOR
from edgekit.runner.model.manifest import read_manifest
from edgekit.runner.model.tensors import real, row
from edgekit.runner.runtimes.model import LoadedModel
from edgekit.samples import Samples, load_samples
from edgekit.specs.monitor import MonitorSpec
from edgekit.specs.project import Project

MILD = 0.10
"""Loss up to which a shift is mild."""
COSTLY = 0.05
REQUESTS = 500
PART = 250


def main(args: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench monitor", description=__doc__)
    parser.add_argument("what", choices=("shifts", "quiet"))
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--project", type=Path, required=True)
    parser.add_argument("--answers", type=Path, required=True, help="folder that keeps answers")
    parser.add_argument("--rows", type=int, default=1000, help="rows of each shift")
    parser.add_argument("--severities", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--weeks", type=int, default=1000)
    arguments = parser.parse_args(args)
    arguments.answers.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        slot = Path(scratch) / "a"
        Bundle.open(arguments.bundle, KeyStore.of_user().trusted()).extract(slot)
        bins = FrozenBins.parse((slot / MONITOR).read_bytes())
        project = Project.read(arguments.project)
        others = held_out(project)
        if arguments.what == "shifts":
            shifts(slot, bins, project, others, arguments)
        else:
            quiet(slot, bins, others, arguments)


def held_out(project: Project) -> Samples:
    """Evaluation samples that the bins were not made of, in a fixed random order."""
    everything, used = load_samples(project, "evaluation"), load_samples(project, "evaluation", SAMPLES)
    name = next(iter(everything.inputs))
    known = {hashlib.sha256(sample.tobytes()).digest() for sample in used.inputs[name]}
    fresh = [k for k, one in enumerate(everything.inputs[name]) if hashlib.sha256(one.tobytes()).digest() not in known]
    return everything.take(np.random.default_rng(0).permutation(fresh))


def answered(slot: Path, bins: FrozenBins, samples: Samples, name: str, folder: Path) -> Array:
    """Scores of the artifact, [N, classes]."""
    file = folder / f"{name.replace(' ', '-')}-{samples.digest[:12]}.npy"
    if not file.exists():
        manifest = read_manifest(slot)
        columns = [np.asarray(samples.inputs[tensor.name]) for tensor in manifest.sampled]
        model = LoadedModel.load(manifest, 1, row(columns, 0))
        outputs = [real(array, spec) for array, spec in zip(model.outputs(columns), manifest.reported, strict=True)]
        assert bins.score
        np.save(file, outputs[[tensor.name for tensor in manifest.reported].index(bins.score.output)])
    scores: Array = np.load(file)
    return scores


def counted(bins: FrozenBins, scores: Array, inputs: list[Array], number: int) -> AnswerCounts:
    """Window of these rows, as a device would have it."""
    window = AnswerWindow(bins, 1)
    window.add_scores(scores)
    window.add_inputs(inputs)
    head = {"schema": 1, "kind": "answers", "bundle": "0" * 64, "bins": "0" * 64, "number": number}
    times = {"begun": 900 * number, "seconds": 900.0, "open": False, "pid": 1, "boot": "", "lost_rows": 0}
    return AnswerCounts.model_validate({**head, **times, **window.document()})


def windows_of(bins: FrozenBins, scores: Array, samples: Samples) -> list[AnswerCounts]:
    """Windows of PART rows each."""
    names = [each.name for each in bins.inputs]
    return [
        counted(bins, scores[i : i + PART], [samples.inputs[name][i : i + PART] for name in names], i // PART + 1)
        for i in range(0, len(scores), PART)
    ]


def shifts(slot: Path, bins: FrozenBins, project: Project, others: Samples, arguments: argparse.Namespace) -> None:
    rows = []
    for name, samples in shifted(project, others, arguments):
        scores = answered(slot, bins, samples, name, arguments.answers)
        right = float((scores.argmax(axis=1) == samples.labels).mean())
        windows = windows_of(bins, scores, samples)
        whole = WindowSum.of(bins, windows)
        now = accuracy_now(whole, 1.0)
        judgement = judge(bins, windows[: REQUESTS // PART], [], MonitorSpec())
        missed = [gate.name for gate in judgement.gates if gate.outcome == "failed"]
        assert bins.accuracy
        commit = bins.accuracy.right / bins.accuracy.rows
        figures: dict[str, object] = {"shift": name, "right": round(right, 4), "alarms": missed}
        figures["lost"] = round(commit - right, 4)
        worst = [(each.signal, round(each.distance, 3)) for each in signal_shifts(whole, 0.01, 1.0)[:2]]
        figures |= {"largest": worst, "confidence": round(confidence_shift(whole), 3)}
        if now:
            estimate = {"atc": now.atc, "doc": now.doc, "low": now.accuracy.low, "high": now.accuracy.high}
            figures |= {"estimate": round(now.accuracy.value, 4)} | {k: round(v, 4) for k, v in estimate.items()}
        rows.append(figures)
        print(json.dumps(figures), flush=True)
    print(json.dumps(summary(rows)))


def summary(rows: list[dict[str, object]]) -> dict[str, object]:
    """Mean absolute errors in points, alarms on costly shifts, and how often the interval holds the truth."""
    table: list[dict[str, object]] = [each for each in rows if each["shift"] != "clean"]
    numbered = [each for each in table if "estimate" in each]
    mild = [each for each in numbered if abs(_real(each, "lost")) <= MILD]
    costly = [each for each in table if _real(each, "lost") > COSTLY]

    def error(part: list[dict[str, object]], key: str) -> float | None:
        errors = [abs(_real(each, key) - _real(each, "right")) for each in part]
        return round(100 * float(np.mean(errors)), 2) if errors else None

    return {
        "shifts": len(table),
        "with a number": len(numbered),
        "mild": len(mild),
        "mean absolute error, mild": {key: error(mild, key) for key in ("estimate", "atc", "doc")},
        "mean absolute error, all": {key: error(numbered, key) for key in ("estimate", "atc", "doc")},
        "interval holds": sum(_real(each, "low") <= _real(each, "right") <= _real(each, "high") for each in numbered),
        "costly": len(costly),
        "costly with an alarm": sum(bool(each["alarms"]) for each in costly),
        "alarms on clean": next((each["alarms"] for each in rows if each["shift"] == "clean"), None),
    }


def _real(each: dict[str, object], key: str) -> float:
    value = each[key]
    assert isinstance(value, float)
    return value


def shifted(project: Project, others: Samples, arguments: argparse.Namespace) -> Iterator[tuple[str, Samples]]:
    """Clean samples, other mixes of classes, and the corruptions."""
    few = others.take(np.arange(arguments.rows))
    yield "clean", few
    rng = np.random.default_rng(1)
    classes = int(others.labels.max()) + 1
    mixes = {
        "half of the classes": np.arange(classes) < classes // 2,
        "the other half": np.arange(classes) >= classes // 2,
        "one class in two": np.where(np.arange(classes) == 3, classes - 1, 1),
        "two classes": np.isin(np.arange(classes), (3, 5)),
        "mixed at random": rng.dirichlet(np.ones(classes)),
        "mixed at random again": rng.dirichlet(np.ones(classes)),
    }
    for name, weights in mixes.items():
        shares = np.asarray(weights, np.float64)[others.labels]
        yield name, others.take(rng.choice(len(others), arguments.rows, p=shares / shares.sum()))
    plan = perturbation_plan(few, input_domains(project), ("natural",))
    for condition in plan.fitting:
        if condition.severity in arguments.severities:
            keys = sample_keys(few, condition.domain.name, condition.domain.spec)
            yield f"{condition.perturbation.name} {condition.severity}", condition.apply(few, keys)


def quiet(slot: Path, bins: FrozenBins, others: Samples, arguments: argparse.Namespace) -> None:
    """Simulate quiet weeks, each with an evaluation set of its own, and count those with an alarm by each gate."""
    scores = answered(slot, bins, others, "all", arguments.answers)
    assert bins.score
    assert bins.accuracy
    answers = answer_signals(scores, bins.score)
    signals = dict(answers.signals)
    for stated in bins.inputs:
        signals |= input_signals(others.inputs[stated.name], stated)
    sizes = [*(len(each.counts) for each in bins.signals.values()), scores.shape[1]]
    starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    edges = {name: np.asarray(each.edges) for name, each in bins.signals.items()}
    columns = [edges[name].searchsorted(signals[name], "right") for name in bins.signals] + [answers.predicted]
    # Each sample by the bins that it falls in, of all signals in a row: one table of counts a week.
    places = np.stack(columns, axis=1).astype(np.int32) + starts[:-1]
    right, confidence = scores.argmax(axis=1) == others.labels, answers.confidence
    above = confidence >= bins.score.threshold
    spec, rng = MonitorSpec(), np.random.default_rng(2)
    assert spec.input_shift
    assert spec.estimated_drop
    level = window_level(spec.false_alarms, spec.needed, len(sizes) + 1)
    z, count, whole = normal_quantile(1 - level), len(scores), int(starts[-1])
    offsets = (np.arange(WINDOWS_A_WEEK, dtype=np.int32) * whole)[:, None, None]
    weeks = {"input_shift": 0, "estimated_drop": 0, "either": 0}
    for week in range(1, arguments.weeks + 1):
        known, drawn = rng.integers(0, count, SAMPLES), rng.integers(0, count, (WINDOWS_A_WEEK, PART))
        then = np.bincount(places[known].ravel(), minlength=whole)
        now = np.bincount((places[drawn] + offsets).ravel(), minlength=WINDOWS_A_WEEK * whole)
        apart = now.reshape(WINDOWS_A_WEEK, whole) / PART - then / SAMPLES
        beyond = np.zeros(WINDOWS_A_WEEK, bool)
        for k in range(len(sizes)):
            part, is_ordered = slice(starts[k], starts[k + 1]), k < len(sizes) - 1
            bound = max(spec.input_shift.max, distance_bound(then[part], PART, level, is_ordered))
            far = np.abs(np.cumsum(apart[:, part], 1)).max(1) if is_ordered else np.abs(apart[:, part]).sum(1) / 2
            beyond |= far > bound
        share, sure = above[drawn].mean(axis=1), confidence[drawn]
        lost = right[known].mean() - share, confidence[known].mean() - sure.mean(axis=1)
        atc_error = np.sqrt(share * (1 - share) / PART + above[known].var() / SAMPLES)
        doc_error = np.sqrt(sure.var(axis=1) / PART + confidence[known].var() / SAMPLES)
        drop = sum(lost) / 2 > np.maximum(spec.estimated_drop.max, z * (atc_error + doc_error) / 2)
        alarms = {"input_shift": has_alarm(beyond, spec), "estimated_drop": has_alarm(drop, spec)}
        for name, is_alarm in alarms.items():
            weeks[name] += is_alarm
        weeks["either"] += any(alarms.values())
        if week % 100 == 0 or week == arguments.weeks:
            settings = {"stated": spec.false_alarms, "windows a week": WINDOWS_A_WEEK, "rows a window": PART}
            print(json.dumps({"weeks": week, **weeks, **settings}), flush=True)


def has_alarm(flags: Array, spec: MonitorSpec) -> bool:
    """True if `needed` of some `of` windows in a row are beyond their bounds."""
    return bool((np.convolve(flags.astype(int), np.ones(spec.of, int)) >= spec.needed).any())
