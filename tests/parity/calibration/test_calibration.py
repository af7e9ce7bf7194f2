"""Calibration errors, losses and temperatures, against scikit-learn, SciPy and counts by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.metrics import brier_score_loss, log_loss

from edgekit.parity.calibration.decisions import BINS, Decisions, decisions, expected_error, mass_bins, width_bins
from edgekit.parity.calibration.paired_calibration import PairedCalibration, paired_calibration
from edgekit.parity.calibration.resampling import EXACT, PairedSums, figures
from edgekit.parity.calibration.temperature import fit_temperature
from edgekit.parity.missing_value import MissingValue
from edgekit.tasks.class_scores import ClassScores, form_of, whole_samples
from tests.parity.calibration.examples import scores, truthful


def paired(reference: ClassScores, candidate: ClassScores) -> PairedCalibration:
    pair = paired_calibration(reference, candidate, "top1")
    assert isinstance(pair, PairedCalibration), pair
    return pair


def by_hand(confidence: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error as Guo et al. (2017) write it, bin by bin."""
    edges, total = np.linspace(0, 1, BINS + 1), 0.0
    for low, high in itertools.pairwise(edges):
        members = (confidence > low) & (confidence <= high)
        if members.any():
            total += members.mean() * abs(right[members].mean() - confidence[members].mean())
    return total


def test_figures_are_those_of_other_programs() -> None:
    logits, labels = truthful(700)
    side = decisions(scores(2 * logits, labels), "logits")
    shares = softmax(2 * logits.astype(float), axis=1)
    assert side.nll.mean() == pytest.approx(log_loss(labels, shares, labels=range(10)), abs=1e-9)
    assert side.brier.mean() == pytest.approx(
        brier_score_loss(labels, shares, labels=list(range(10)), scale_by_half=False), abs=1e-9
    )
    error = expected_error(side.confidence, side.outcome, width_bins(side.confidence))
    assert error == pytest.approx(by_hand(shares.max(axis=1), shares.argmax(axis=1) == labels), abs=1e-12)


def test_flags_are_decisions_of_their_own() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(300, 4))
    flags = rng.random((300, 4)) < 1 / (1 + np.exp(-logits))
    side = decisions(ClassScores(logits, flags, whole_samples(logits), several=True), "logits")
    shares = 1 / (1 + np.exp(-logits))
    assert len(side.confidence) == 1200
    assert side.nll.mean() == pytest.approx(log_loss(flags.ravel(), shares.ravel()), abs=1e-9)
    assert side.brier.mean() == pytest.approx(brier_score_loss(flags.ravel(), shares.ravel()), abs=1e-9)


def test_probabilities_are_told_from_logits_by_the_references_values() -> None:
    logits, labels = truthful(200)
    shares = softmax(logits, axis=1)
    assert form_of(scores(logits)) == "logits"
    assert form_of(scores(log_softmax(logits, axis=1))) == "logits"
    assert form_of(scores(shares)) == "probabilities"
    by_logits, by_shares = (decisions(scores(each, labels), form_of(scores(each))) for each in (logits, shares))
    assert np.allclose(by_logits.confidence, by_shares.confidence, atol=1e-6)
    # A quantized softmax adds up to 1 only nearly: the reference says what it is.
    rounded = np.round(shares * 255) / 256
    assert paired(scores(shares, labels), scores(rounded, labels)).form == "probabilities"


def test_equal_confidences_are_in_one_bin_of_equal_mass() -> None:
    confidence = np.array([0.5] * 70 + [0.9] * 30)
    assert len(np.unique(mass_bins(confidence)[:70])) == 1
    spread = mass_bins(np.random.default_rng(0).random(1500))
    assert np.bincount(spread).tolist() == [100] * BINS


@pytest.mark.parametrize("times", [0.4, 1.0, 3.0])
def test_a_temperature_undoes_what_logits_were_multiplied_by(times: float) -> None:
    logits, labels = truthful(3000)
    wide = logits.astype(float) * times
    oracle = minimize_scalar(lambda t: log_loss(labels, softmax(wide / t, axis=1)), bounds=(0.05, 20), method="bounded")
    fitted = fit_temperature(scores(wide, labels), "logits")
    assert fitted.value == pytest.approx(oracle.x, rel=1e-3)
    assert fitted.value == pytest.approx(times, rel=0.05)
    assert fitted.nll_after <= oracle.fun + 1e-9
    assert not fitted.at_limit


def test_a_network_that_is_always_right_has_no_temperature() -> None:
    logits, _ = truthful(200)
    assert fit_temperature(scores(logits, logits.argmax(axis=1)), "logits").at_limit


def test_the_interval_is_of_samples_and_not_of_their_places() -> None:
    """Ten equal places a sample say no more than one: the interval stays as wide."""
    logits, labels = truthful(300)
    once = paired(scores(logits, labels), scores(1.5 * logits, labels)).drop_at(0.95)
    rows = np.repeat(np.arange(300), 10)
    both = [ClassScores(k * logits[rows], labels[rows], rows) for k in (1.0, 1.5)]
    again = paired(*both).drop_at(0.95)
    assert again.value == pytest.approx(once.value, abs=1e-9)
    assert again.high - again.low == pytest.approx(once.high - once.low, rel=1e-6)


def test_many_samples_are_drawn_from_the_normal_distribution_of_their_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    logits, labels = truthful(3000)
    sums = PairedSums(*(decisions(scores(k * logits, labels), "logits") for k in (1.0, 1.3)))
    assert sums.samples < EXACT
    monkeypatch.setattr("edgekit.parity.calibration.resampling.EXACT", 100)
    normal = figures(sums.draws(2000))
    monkeypatch.undo()
    for drawn, exact in zip(normal, figures(sums.draws(2000)), strict=True):
        assert drawn.mean(axis=0) == pytest.approx(exact.mean(axis=0), rel=0.03)
        assert drawn.std(axis=0) == pytest.approx(exact.std(axis=0), rel=0.1)


def test_a_temperature_that_ships_is_told_beside_the_reference_without_it() -> None:
    logits, labels = truthful(2000)
    tempered = ClassScores(logits, labels, whole_samples(logits), temperature=2.0)
    record = paired(tempered, tempered).record
    assert record.temperature == 2.0
    assert record.untempered is not None
    assert record.untempered.ece > 5 * record.reference.ece
    assert record.untempered.outcome == record.reference.outcome


@pytest.mark.parametrize(
    ("reference", "reason", "outcome"),
    [
        (None, "no metric of class scores", "not measurable"),
        (scores(truthful(200)[0]), "no labels of the classes", "not measurable"),
        (scores(truthful(60)[0], truthful(60)[1]), "60 samples are too few for 15 bins", "undecided"),
        (scores(truthful(200)[0], np.full(200, 3)), "every label is class 3", "not measurable"),
        (scores(np.arange(2000).reshape(200, 10), np.arange(200) % 10), "int64", "not measurable"),
        (scores(np.eye(10)[np.arange(200) % 10], np.arange(200) % 10), "0 and 1 only", "not measurable"),
        (scores(np.full((200, 10), np.nan), np.arange(200) % 10), "200 of 200 decisions hold NaN", "not measurable"),
        (scores(np.empty((0, 10)), np.empty(0, np.int64)), "no decision has a label", "not measurable"),
    ],
)
def test_what_has_no_calibration_is_told_with_the_reason(
    reference: ClassScores | None, reason: str, outcome: str
) -> None:
    absent = paired_calibration(reference, reference, "top1")
    assert isinstance(absent, MissingValue)
    assert reason in absent.reason
    assert absent.outcome == outcome


def test_an_answer_without_doubt_is_counted_in_the_last_bin() -> None:
    sure = Decisions(np.array([1.0, 0.0]), np.ones(2), np.zeros(2), np.zeros(2), np.arange(2))
    assert width_bins(sure.confidence).tolist() == [BINS - 1, 0]
