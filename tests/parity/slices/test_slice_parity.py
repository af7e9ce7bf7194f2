"""Losses of slices: counts beside every number, small slices shown and not judged, and nothing crashes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from edgekit.datasets.metadata import Metadata
from edgekit.ir.measurement import Array
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.paired_answers import PairedAnswers
from edgekit.parity.slice_readings import slice_reading, slice_words
from edgekit.parity.slices.record import SliceParity
from edgekit.parity.slices.slice import Slice
from edgekit.parity.slices.slice_parity import slice_parity
from edgekit.parity.statistics.estimate import Estimate
from edgekit.report.forms import html, markdown, text
from edgekit.report.sections.slices import slices
from edgekit.samples import Samples
from edgekit.specs.profile import Bound
from edgekit.tasks.label_arrays import unlabelled
from edgekit.tasks.metric import SHARE, Metric, Scores
from tests.parity.gate_examples import facts, judged
from tests.parity.slices.examples import Pictures, pictures, sliced, sound
from tests.report.examples import made

LIMIT = Bound(max=0.05)


def paired(reference: Array, candidate: Array, metric: Metric | None = None) -> PairedAnswers:
    scores = Scores(np.asarray(reference, np.float64)), Scores(np.asarray(candidate, np.float64))
    agreements = (scores[0].each == scores[1].each).astype(np.float64)
    return PairedAnswers(metric=metric or Metric("top1"), scores=scores, agreements=agreements, margin=0.0)


def one(members: Array, name: str = "light = dim") -> Slice:
    return Slice(name, name, "light", "stated", members)


def with_columns(given: Pictures, **columns: Array) -> Pictures:
    metadata = Metadata(tuple(map(str, range(len(given.samples)))), columns)
    return replace(given, samples=replace(given.samples, metadata=metadata))


def test_the_loss_of_a_slice_is_beside_that_of_all_others_with_counts() -> None:
    right, members = np.ones(400), np.arange(400) < 100
    wrong = right.copy()
    wrong[:20] = wrong[100:103] = 0
    (record,) = slice_parity(paired(right, wrong), [one(members)]).slices
    assert (record.samples, record.reference_only, record.candidate_only) == (100, 20, 0)
    assert record.drop == pytest.approx(0.2)
    assert record.others == pytest.approx(0.01)
    assert record.p is not None
    assert record.p < 1e-5
    assert record.low is not None
    assert record.high is not None
    assert 0.1 < record.low < 0.2 < record.high < 0.35
    assert slice_parity(paired(right, wrong), [one(members)]).sentence == (
        "Worst slice: light = dim (100 samples): loses 20 points, all others 1 point."
    )


def test_a_limit_of_nothing_can_only_be_missed_and_is_told_without_a_number() -> None:
    right, members = np.ones(400), np.arange(400) < 100
    wrong = right.copy()
    wrong[:20] = 0
    for groups in (None, np.arange(400) // 4):
        parity = slice_parity(replace(paired(right, wrong), groups=groups), [one(members)])
        reading = slice_reading("worst_slice_drop", Bound(max=0.0), parity, SHARE)
        assert isinstance(reading, Estimate)
        assert reading.low > 0
        words = slice_words("worst_slice_drop", Bound(max=0.0), parity, SHARE)
        assert "no slice can pass a limit of 0, however large" in words


def test_a_loss_everywhere_is_no_slice_s_loss() -> None:
    right = np.ones(4000)
    wrong = np.where(np.arange(4000) % 10 == 0, 0, 1)
    parity = slice_parity(paired(right, wrong), [one(np.arange(4000) < 1000)])
    assert parity.slices[0].p == pytest.approx(1, abs=0.6)
    assert parity.sentence.startswith("Of 1 slice of 32 samples or more, none is sure to lose more")


def test_a_relative_loss_is_of_the_mean_over_all_samples() -> None:
    reference, members = -np.full(200, 2.0), np.arange(200) < 100
    candidate = np.where(members, -2.2, -2.0)
    metric = Metric("mae", "m", higher_is_better=False)
    (record,) = slice_parity(paired(reference, candidate, metric), [one(members)]).slices
    assert record.drop == pytest.approx(0.1)
    assert record.standard_error is not None
    reading = slice_reading(
        "worst_slice_drop", LIMIT, slice_parity(paired(reference, candidate, metric), [one(members)]), "m"
    )
    assert isinstance(reading, Estimate)
    assert reading.low > 0.05
    assert slice_reading(
        "fairness_gap", LIMIT, SliceParity(confidence=0.95, sentence="", slices=()), "m"
    ) == MissingValue("error rates need a metric in percent")


def test_slices_of_one_sample_are_shown_and_not_judged() -> None:
    given = pictures(200)
    comparison = sliced(with_columns(given, name=np.arange(200).astype(str)), sound(given.reference, 1))
    assert comparison.slices
    stated = [each for each in comparison.slices.slices if each.origin == "stated"]
    assert {each.samples for each in stated} == {1}
    assert not any(each.judged or each.p is not None or each.low is not None for each in stated)
    section = slices(comparison.slices, SHARE)
    assert section
    assert section.rows[0][1] == "1, too few to judge"
    assert "50 of 50 stated slices have fewer than 32 samples: they are shown, and not judged." in section.notes
    assert "'name' has 200 values: the 50 most frequent are slices, of 50 samples." in section.notes


def test_columns_without_values_and_of_nan_are_said_and_nothing_crashes() -> None:
    given = pictures(200)
    columns = {
        "empty": np.full(200, ""),
        "nan": np.full(200, np.nan),
        "half": np.where(np.arange(200) % 2, np.nan, 1.0),
    }
    comparison = sliced(with_columns(given, **columns), sound(given.reference, 1))
    assert comparison.slices
    assert comparison.slices.remarks == (
        "'empty' has no value in any of the 200 samples: no slice is made of it.",
        "'nan' has no value in any of the 200 samples: no slice is made of it.",
        "100 of 200 samples have no 'half' (empty or NaN), and are in no slice of it.",
        "'half' is 1 wherever it has a value (100 samples): nothing to compare.",
    )
    assert judged("fairness_gap", {"max": 0.1}, facts(comparison)).outcome == "undecided"
    report = made(comparison, device=None)
    for render in (text.render, markdown.render, html.render):
        assert "has no value in any of the 200 samples" in render([report])


def test_few_samples_of_one_class_leave_every_gate_undecided() -> None:
    few = Pictures(Samples({"x": np.zeros((3, 8, 8, 3), np.uint8)}, np.zeros(3, np.int64)), np.zeros(3, np.int64))
    comparison = sliced(few, np.array([0, 0, 1]))
    assert comparison.slices
    assert comparison.slices.sentence == "No slice of these 3 samples has 32 samples: none is judged."
    names = ("worst_slice_drop", "worst_class_drop")
    results = [judged(name, {"max": 0.05}, facts(comparison, available=3)) for name in names]
    assert [result.outcome for result in results] == ["undecided"] * 2
    assert results[1].meaning.endswith(
        "no class has 32 samples; all 3 samples of the set were measured: add samples to [data] evaluation."
    )
    more = judged("worst_class_drop", {"max": 0.05}, facts(comparison, available=900)).meaning
    assert more.endswith("no class has 32 samples; measure more: --samples 900.")


def test_one_slice_is_told_in_the_singular() -> None:
    right, members = np.ones(400), np.arange(400) < 200
    parity = slice_parity(paired(right, right), [one(members), one(~members & (np.arange(400) < 201), "light = day")])
    words = slice_words("worst_slice_drop", Bound(max=0.05), parity, SHARE)
    assert words.endswith(", over 1 slice; 1 of fewer than 32 is not judged)")


def test_without_labels_slices_show_agreement_and_no_gate_is_judged() -> None:
    agreements = (np.arange(200) >= 20).astype(np.float64)
    alone = PairedAnswers(metric=Metric("top1"), scores=None, agreements=agreements, margin=0.0)
    parity = slice_parity(alone, [one(np.arange(200) < 100), one(np.arange(200) >= 100, "light = day")])
    assert parity.sentence == (
        "Without labels no slice has a loss; the least agreement is that of light = dim (100 samples)."
    )
    assert slice_reading("worst_slice_drop", LIMIT, parity, SHARE) == MissingValue(
        "the samples have no labels; agreements of slices are in the report"
    )
    section = slices(parity, SHARE)
    assert section
    assert section.rows[0] == ("light = dim", "100", "-", "agrees to 80 %", "no labels", "-", "-")
    assert len(unlabelled(3)) == 3


def test_a_small_slice_can_fail_but_not_pass_and_the_meaning_says_so() -> None:
    right, small = np.ones(640), np.arange(640) < 40
    sound_but_small = slice_parity(paired(right, right), [one(small), one(~small, "light = day")])
    reading = slice_reading("worst_slice_drop", LIMIT, sound_but_small, SHARE)
    assert isinstance(reading, Estimate)
    assert reading.high < 0.05
    alone = slice_parity(paired(right, right), [one(small)])
    assert slice_reading("worst_slice_drop", LIMIT, alone, SHARE) == MissingValue(
        "no slice has the 52 samples that the limit takes; a wider limit takes fewer", "undecided", more=True
    )
    broken = np.where(small & (np.arange(640) % 2 == 0), 0.0, 1.0)
    failed = slice_reading("worst_slice_drop", LIMIT, slice_parity(paired(right, broken), [one(small)]), SHARE)
    assert isinstance(failed, Estimate)
    assert failed.low > 0.05
    undecided = slice_reading("worst_slice_drop", Bound(max=0.0), alone, SHARE)
    assert isinstance(undecided, MissingValue)
    assert undecided.outcome == "undecided"


def test_a_gap_that_was_there_before_compression_is_no_increase() -> None:
    members, right = np.arange(2000) < 1000, np.ones(2000)
    right[:200] = 0
    parity = slice_parity(paired(right, right), [one(members), one(~members, "light = day")])
    (gap,) = parity.gaps
    assert [gap.before, gap.after] == pytest.approx([0.2, 0.2])
    assert gap.increase == 0
    assert (gap.worst, gap.best, gap.samples) == ("light = dim", "light = day", 2000)
    reading = slice_reading("fairness_gap", Bound(max=0.02), parity, SHARE)
    assert isinstance(reading, Estimate)
    assert reading.low < 0 < reading.high < 0.02


def test_of_a_million_pairs_each_is_in_one_slice() -> None:
    rng = np.random.default_rng(0)
    right = (rng.random(1_000_000) < 0.9).astype(np.float64)
    column = rng.integers(0, 10, 1_000_000)
    parity = slice_parity(paired(right, right), [one(column == i, f"light = {i}") for i in range(10)])
    assert sum(each.samples for each in parity.slices) == 1_000_000
