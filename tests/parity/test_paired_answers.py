"""Answers of two endpoints without the sample that is answered worst: what chance may have decided, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.parity.paired_answers import PairedAnswers
from edgekit.tasks.classification import Classification
from edgekit.tasks.label_arrays import unlabelled
from edgekit.tasks.restoration import Restoration


def test_one_class_of_few_that_flips_is_left_out_and_two_are_not() -> None:
    right = {"scores": np.eye(12)}
    task, labels = Classification(), np.arange(12)

    def paired(flipped: int) -> PairedAnswers:
        scores = np.eye(12)
        scores[:flipped] = np.roll(scores[:flipped], 1, axis=1)
        return PairedAnswers.of(task.answers(right), task.answers({"scores": scores}), labels, task)

    assert paired(0).without_worst() == (1.0, 0.0)
    assert paired(1).without_worst() == (1.0, 0.0)
    assert paired(2).without_worst() == pytest.approx((10 / 11, 1 / 11))
    alone = PairedAnswers.of(task.answers(right), task.answers(right), unlabelled(12), task)
    assert alone.without_worst() == (1.0, None)


def test_a_loss_that_all_images_share_does_not_go_with_the_worst() -> None:
    truth = np.full((12, 1, 8, 8), 0.5, np.float32)
    checks = np.where(np.indices((8, 8)).sum(0) % 2, 1.0, -1.0).astype(np.float32)
    task = Restoration()

    def images(noise: float) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
        return {"image": truth + np.float32(noise) * checks}

    paired = PairedAnswers.of(task.answers(images(0.010)), task.answers(images(0.0105)), truth, task)
    agreement, drop = paired.without_worst()
    assert agreement == 1.0
    assert drop == pytest.approx(20 * np.log10(1.05) / 40, rel=1e-3), "1.06 % of 40 dB, and no twelfth less"


def test_one_sample_alone_decides_nothing() -> None:
    task = Classification()
    wrong = PairedAnswers.of(
        task.answers({"scores": np.eye(2)[:1]}), task.answers({"scores": np.eye(2)[1:]}), np.array([0]), task
    )
    assert wrong.agreement == 0
    assert wrong.without_worst() == (1.0, 0.0)
