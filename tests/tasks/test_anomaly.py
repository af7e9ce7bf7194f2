"""Anomalies and audio events: rankings and flags against scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, jaccard_score, roc_auc_score

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.tasks.anomaly import Anomaly
from edgekit.tasks.audio_events import AudioEvents


def scored(seed: int = 0) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    labels = (random.random(90) < 0.3).astype(int)
    return random.normal(size=90) + labels, labels


def test_anomalies_are_ranked_by_their_score() -> None:
    scores, labels = scored()
    task, other = Anomaly(), Anomaly(metric_name="average-precision")
    task.check({"error": scores[:, None]}, task.collect(list(labels), 0))
    answers = task.answers({"error": scores[:, None]})
    assert task.score(answers, labels).value == pytest.approx(roc_auc_score(labels, scores))
    assert other.score(answers, labels).value == pytest.approx(average_precision_score(labels, scores))
    part = np.random.default_rng(1).integers(0, 90, 90)
    assert task.score(answers, labels).at(part) == pytest.approx(roc_auc_score(labels[part], scores[part]))
    assert task.chance(labels) == 0.5
    assert other.chance(labels) == pytest.approx(average_precision_score(labels, np.ones(90)))
    assert (task.show(answers, 0), task.show_label(labels, int(labels.argmax()))) == (f"{scores[0]:.4g}", "anomalous")


def test_anomalies_agree_by_the_side_of_the_threshold() -> None:
    scores, labels = scored()
    stated, by_share = Anomaly(threshold=1.0), Anomaly(quantile=0.5)
    moved = scores + 0.4
    assert stated.agreement(scores, moved).tolist() == ((scores >= 1) == (moved >= 1)).astype(float).tolist()
    middle = np.median(scores)
    assert by_share.agreement(scores, moved).sum() == ((scores >= middle) == (moved >= middle)).sum()
    assert stated.score(scores, labels).each.mean() == pytest.approx(((scores >= 1) == (labels == 1)).mean())


@pytest.mark.parametrize("shape", [(4, 2), (4, 1, 8, 8)])
def test_a_reconstruction_is_no_score_and_the_way_out_is_told(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="one score a sample is needed") as caught:
        Anomaly().check({"output": np.zeros(shape)}, None)
    assert "((output - x) ** 2).mean" in str(caught.value.hint)


@pytest.mark.parametrize("labels", [[0, 2], [0.5, 1.0], [[1], [0]]])
def test_anomalies_are_labelled_with_0_or_1(labels: list[object]) -> None:
    with pytest.raises(DataError):
        Anomaly().collect(labels, 0)


def events(seed: int, frames: int = 6) -> tuple[Array, Array]:
    """Scores [40, frames, 4] and flags that go with them in part."""
    random = np.random.default_rng(seed)
    flags = random.random((40, frames, 4)) < 0.2
    return random.normal(size=flags.shape) + 2 * flags - 1, flags.astype(np.uint8)


def test_mean_average_precision_of_clips_is_scikit_learns() -> None:
    scores, flags = events(0)
    clips, truth, task = scores[:, 0], flags[:, 0], AudioEvents()
    collected = task.collect(list(truth), 4)
    task.check({"o": clips}, collected)
    scored_clips = task.score(task.answers({"o": clips}), collected)
    assert scored_clips.value == pytest.approx(average_precision_score(truth, clips, average="macro"))
    part = np.random.default_rng(1).integers(0, 40, 40)
    expected = average_precision_score(truth[part], clips[part], average="macro")
    assert scored_clips.at(part) == pytest.approx(expected)
    assert task.chance(truth) == pytest.approx(truth.mean(axis=0).mean())
    assert task.show(task.answers({"o": np.array([[1.0, -1, 1]])}), 0, ("dog", "car", "rain")) == "dog, rain"
    assert task.show_label(np.zeros((1, 3), int), 0) == "no event"


def test_a_clip_is_as_its_loudest_frame() -> None:
    scores, flags = events(1)
    expected = average_precision_score(flags.max(1), scores.max(1), average="macro")
    task = AudioEvents()
    task.check({"o": scores}, flags)
    assert task.score(task.answers({"o": scores}), flags).value == pytest.approx(expected)
    assert task.score(task.answers({"o": scores}), flags.max(1)).value == pytest.approx(expected)


def test_segment_f1_is_of_the_segments_of_all_clips() -> None:
    scores, flags = events(2)
    for segment in (1, 2, 4):
        task = AudioEvents(metric_name="segment-f1", segment=segment)
        parts = np.split(np.arange(6), range(segment, 6, segment))
        ours, truth = (np.stack([one[:, p].any(axis=1) for p in parts], 1) for one in (scores >= 0, flags > 0))
        result = task.score(task.answers({"o": scores}), flags)
        assert result.value == pytest.approx(f1_score(truth.ravel(), ours.ravel()))
        assert result.each[3] == pytest.approx(f1_score(truth[3].ravel(), ours[3].ravel(), zero_division=1))
        noisy = scores + np.random.default_rng(3).normal(size=scores.shape)
        near = np.stack([(noisy >= 0)[:, p].any(axis=1) for p in parts], 1)
        expected = [jaccard_score(ours[i].ravel(), near[i].ravel(), zero_division=1) for i in range(40)]
        assert task.agreement(scores, noisy) == pytest.approx(expected)
        assert task.chance(flags) == pytest.approx(f1_score(truth.ravel(), np.ones(truth.size)))


@pytest.mark.parametrize("labels", [[3, 4], [[0, 2]], [[0.5, 1]], [[0, 1, 1]]])
def test_flags_of_another_kind_are_refused(labels: list[object]) -> None:
    with pytest.raises(DataError):
        AudioEvents().collect(labels, 2)


def test_events_of_another_shape_than_the_output_are_refused() -> None:
    with pytest.raises(DataError, match=r"labels are \[2, 5, 3\], output 'o' is \[2, 4, 3\]"):
        AudioEvents().check({"o": np.zeros((2, 4, 3))}, np.zeros((2, 5, 3)))
    with pytest.raises(DataError, match="audio events need"):
        AudioEvents().check({"o": np.zeros(2)}, None)
