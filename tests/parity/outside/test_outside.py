"""Samples from outside: scores, AUROC and false acceptance against scikit-learn, the gate, and noise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import logsumexp, softmax
from sklearn.metrics import roc_auc_score, roc_curve

from edgekit.ir.measurement import Array
from edgekit.parity.compare import compare
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.outside.noise import noise_samples
from edgekit.parity.outside.paired_outside import OutsideScores, PairedOutside, paired_outside
from edgekit.parity.outside.scores import outside_scores
from edgekit.samples import Samples
from edgekit.specs.inputs import Input
from edgekit.tasks.class_scores import ClassScores, whole_samples
from edgekit.tasks.classification import Classification
from edgekit.tasks.roc import RocCurve
from tests.parity.calibration.examples import measured, scores, truthful
from tests.parity.gate_examples import facts, judged

BOUND = {"max": 0.01, "confidence": 0.95}


def unsure(count: int, seed: int = 7) -> Array:
    """Logits of samples that the network does not know: smaller ones."""
    return (np.random.default_rng(seed).normal(size=(count, 10)) * 1.6).astype(np.float32)


def detected(candidate: tuple[Array, Array], inside: Array, outside: Array, **options: object) -> PairedOutside:
    pair = paired_outside(
        OutsideScores(
            (scores(inside), scores(outside)), (scores(candidate[0]), scores(candidate[1])), "noise", "max-softmax"
        )
    )
    assert isinstance(pair, PairedOutside), pair
    return replace(pair, **options)  # type: ignore[arg-type]


def test_scores_are_those_of_their_papers() -> None:
    logits = unsure(50).astype(float)
    named = outside_scores(scores(logits), "logits")
    assert named["max-softmax"] == pytest.approx(softmax(logits, axis=1).max(axis=1))
    assert named["max-logit"] == pytest.approx(logits.max(axis=1))
    assert named["energy"] == pytest.approx(logsumexp(logits, axis=1))
    flags = ClassScores(logits, None, whole_samples(logits), several=True)
    assert outside_scores(flags, "logits")["energy"] == pytest.approx(np.log1p(np.exp(logits)).sum(axis=1))
    assert set(outside_scores(scores(softmax(logits, axis=1)), "probabilities")) == {"max-softmax"}


def test_area_and_false_acceptance_are_scikit_learns() -> None:
    rng = np.random.default_rng(4)
    values = np.round(rng.normal(size=900) + np.repeat([0.8, 0.0], [600, 300]), 1)  # with ties
    inside = np.arange(900) < 600
    curve = RocCurve(values, inside)
    false, true, _ = roc_curve(inside, values, drop_intermediate=False)
    assert curve.auc() == pytest.approx(roc_auc_score(inside, values), abs=1e-12)
    assert curve.false_acceptance_at(0.95) == pytest.approx(false[np.argmax(true >= 0.95)], abs=1e-12)
    drawn = rng.integers(0, 3, 900)
    assert curve.auc(drawn) == pytest.approx(roc_auc_score(inside, values, sample_weight=drawn), abs=1e-12)


def test_a_network_that_knows_no_more_what_it_does_not_know_fails_with_the_same_answers() -> None:
    logits, labels = truthful(1000)
    outside = unsure(500)
    pair = detected((logits, 4 * outside), logits, outside)
    comparison = replace(compare(measured(logits, labels), measured(logits, labels), Classification()), outside=pair)
    assert comparison.agreement == 1
    gate = judged("outside_auroc_drop", BOUND, facts(comparison))
    assert gate.outcome == "failed"
    assert "on 1,000 evaluation samples and 500 from outside" in gate.meaning
    record = pair.record
    assert (record.inside, record.outside, record.score) == (1000, 500, "max-softmax")
    assert record.detections[0].auroc.loss == pytest.approx(gate.value)
    assert {each.score for each in record.detections} == {"max-softmax", "max-logit", "energy"}
    assert judged("outside_auroc_drop", BOUND, facts(replace(comparison, outside=None))).outcome == "undecided"


def test_sound_models_fail_at_most_at_the_rate_of_the_confidence() -> None:
    failed = 0
    for seed in range(40):
        logits, outside = truthful(200, seed)[0], unsure(100, seed)
        rng = np.random.default_rng(seed)
        noisy = tuple(each + 0.3 * rng.normal(size=each.shape) for each in (logits, outside))
        failed += detected((noisy[0], noisy[1]), logits, outside).drop_at(0.95).low > 0.01
    assert failed <= 40 * 0.05 + 3 * np.sqrt(40 * 0.05 * 0.95)


def test_what_cannot_be_judged_is_told() -> None:
    logits, outside = truthful(200)[0], unsure(100)

    def reason(one: Array, other: Array, candidate: Array | None = None, score: str = "max-softmax") -> MissingValue:
        side = (scores(one), scores(other))
        theirs = side if candidate is None else (scores(one), scores(candidate))
        absent = paired_outside(OutsideScores(side, theirs, "noise", score))  # type: ignore[arg-type]
        assert isinstance(absent, MissingValue)
        return absent

    assert "20 samples from outside are too few, 50 are needed" in reason(logits, outside[:20]).reason
    broken = np.where(np.arange(100)[:, None] < 3, np.nan, outside)
    told = reason(logits, outside, broken)
    assert told.outcome == "undecided"
    assert "of the candidate, samples from outside: the scores of 3 of 100 decisions hold NaN" in told.reason
    shares = softmax(logits, axis=1)
    assert "needs logits" in reason(shares, shares, score="energy").reason
    whole = np.arange(2000).reshape(200, 10)
    assert "int64" in reason(whole, whole).reason


PICTURE = Input.model_validate({"shape": [3, 16, 16], "preprocess": {"from": "uint8 NHWC", "scale": 0.004}})


def test_noise_has_every_kind_in_equal_parts_and_is_the_same_again() -> None:
    pixels = np.random.default_rng(0).integers(20, 200, (40, 16, 16, 3), np.uint8)
    samples = Samples({"image": pixels}, np.zeros(40, np.int64))
    made, kinds = noise_samples(samples, {"image": PICTURE}, 40)
    again, _ = noise_samples(samples, {"image": PICTURE}, 40)
    assert made.digest == again.digest
    assert {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)} == {
        "uniform": 10,
        "gaussian": 10,
        "permuted": 10,
        "blurred": 10,
    }
    pictures = made.inputs["image"]
    assert pictures.dtype == np.uint8
    assert (pictures.min(), pictures.max()) >= (20, 199)
    permuted, blurred = pictures[20:30], pictures[30:]
    first = np.linspace(0, 39, 10).astype(int)
    colours = [sorted(map(tuple, each.reshape(-1, 3))) for each in (permuted[0], pixels[first[0]])]
    assert colours[0] == colours[1]  # pixels stay whole
    assert blurred.std(axis=(1, 2)).max() < 0.5 * pixels.std(axis=(1, 2)).min()


def test_noise_of_series_keeps_lengths_and_of_tokens_stays_in_the_vocabulary() -> None:
    series = np.random.default_rng(0).normal(size=(30, 12, 4)).astype(np.float32)
    tokens = np.random.default_rng(1).integers(5, 50, (30, 12))
    samples = Samples(
        {"x": series, "ids": tokens, "t.length": np.full(30, 9)}, np.zeros(30, np.int64), length=np.full(30, 12)
    )
    inputs = {"x": Input(shape=(4,)), "ids": Input(shape=(), dtype="int64")}
    made, kinds = noise_samples(samples, inputs, 30)
    assert set(kinds) == {"uniform", "gaussian", "permuted"}
    assert made.inputs["x"].dtype == np.float32
    assert made.inputs["ids"].min() >= 5
    assert made.inputs["ids"].max() < 50
    assert (made.inputs["t.length"] == 9).all()
    assert made.length is not None
    assert np.array_equal(made.length, np.full(30, 12))
