"""Twins are found in pictures, recordings, texts and series, and nothing is taken for one that is none."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.ir.measurement import Array
from edgekit.parity.data.fingerprints import Fingerprints
from edgekit.parity.data.nearest import nearest_hash
from edgekit.parity.data.thumbnails import difference_hash, perceptual_hash, thumbnails
from edgekit.parity.data.twins import NEVER, Twins, twins
from tests.parity.data.pictures import recompressed, shifted, textured


def compared(ours: Array, theirs: Array | None = None) -> Twins:
    other = None if theirs is None else Fingerprints.of({"x": theirs})
    return twins(Fingerprints.of({"x": ours}), other)


def test_thirty_planted_pictures_are_found_and_nothing_else() -> None:
    evaluation, calibration = textured(300, 0), textured(120, 1)
    calibration[:10] = evaluation[:10]
    calibration[10:20] = shifted(evaluation[10:20])
    calibration[20:30] = recompressed(evaluation[20:30])
    pairs = compared(evaluation, calibration)
    assert pairs.exact.tolist() == list(range(10))
    assert pairs.near.tolist() == list(range(10, 30))
    assert pairs.partner.tolist() == list(range(10, 30))


@pytest.mark.parametrize("change", ["brighter", "mirrored", "larger", "grey"])
def test_a_changed_picture_is_a_twin(change: str) -> None:
    evaluation, calibration = textured(60, 2), textured(60, 3)
    first = evaluation[:5]
    changed = {
        "brighter": np.clip(first * 0.7 + 60, 0, 255),
        "mirrored": first[:, :, ::-1],
        "larger": first[:, 2:30, 2:30].repeat(8, axis=1).repeat(8, axis=2)[:, ::7, ::7],
        "grey": first.mean(axis=3, keepdims=True).repeat(3, axis=3),
    }
    calibration[:5] = changed[change]
    assert compared(evaluation, calibration).near.tolist() == [0, 1, 2, 3, 4]


def test_pictures_of_other_sizes_and_orders_of_axes_are_compared() -> None:
    evaluation = textured(30, 4)
    larger = evaluation.repeat(3, axis=1).repeat(3, axis=2).astype(np.float32) / 255
    assert compared(evaluation, np.moveaxis(larger, 3, 1)).near.tolist() == list(range(30))


def test_two_hundred_sound_sets_have_no_twins() -> None:
    pool = textured(600, 5)
    random = np.random.default_rng(5)
    prints = Fingerprints.of({"x": pool})
    for _ in range(200):
        order = random.permutation(len(pool))
        pairs = twins(prints.take(order[:30]), prints.take(order[30:60]))
        assert len(pairs.exact) == len(pairs.near) == 0


def test_a_shift_and_another_loudness_make_no_other_recording() -> None:
    random = np.random.default_rng(6)
    ours, theirs = random.normal(0, 1, (2, 40, 2000)).astype(np.float32)
    theirs[3] = 0.5 * np.roll(ours[7], 100)
    pairs = compared(ours, theirs)
    assert (pairs.near.tolist(), pairs.partner.tolist()) == ([7], [3])


def test_a_text_with_one_token_changed_is_a_twin_however_it_is_padded() -> None:
    random = np.random.default_rng(7)
    ours, theirs = random.integers(1, 500, (2, 40, 64))
    theirs[5, :60], theirs[5, 60:] = ours[9, :60], 0
    theirs[5, 30] = 7
    ours[9, 60:] = 0
    pairs = compared(ours, theirs)
    assert (pairs.near.tolist(), pairs.partner.tolist()) == ([9], [5])


def test_a_rescaled_series_is_a_twin_and_one_of_few_numbers_is_none() -> None:
    random = np.random.default_rng(8)
    ours, theirs = random.normal(0, 1, (2, 40, 50))
    theirs[2] = 3 * ours[4] + 1
    assert compared(ours, theirs).near.tolist() == [4]
    few = compared(ours[:, :5], theirs[:, :5])
    assert (few.near.tolist(), few.limit) == ([], NEVER)


def test_resemblance_tells_nothing_where_all_samples_resemble_each_other() -> None:
    angle = np.linspace(0, 20, 100)
    ours, theirs = (np.sin(angle[None] + 1e-4 * np.arange(40)[:, None] + phase) for phase in (0, 0.00005))
    pairs = compared(ours, theirs)
    assert (len(pairs.exact), len(pairs.near), pairs.limit) == (0, 0, NEVER)


def test_hashes_survive_recompression_and_tell_pictures_apart() -> None:
    ours = thumbnails(textured(50, 9))
    again = thumbnails(recompressed(textured(50, 9)))
    for hashed in (difference_hash, perceptual_hash):
        index, distance = nearest_hash(hashed(ours), hashed(again))
        assert index.tolist() == list(range(50))
        assert distance.max() <= 8
        assert nearest_hash(hashed(ours), hashed(ours), np.arange(50))[1].min() > 8


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((50, 32, 32, 3), np.uint8),
        np.full((50, 3, 32, 32), np.nan, np.float32),
        np.full((50, 20), np.inf),
        np.zeros((50, 0), np.float32),
        np.zeros((50, 2000), np.float32),
        np.ones((50, 8), np.int64),
        np.full((50, 30), 1e300),
    ],
    ids=["one colour", "NaN", "infinite", "recordings without a value", "silence", "one text", "large"],
)
def test_equal_samples_are_exact_duplicates_whatever_they_hold(samples: Array) -> None:
    assert compared(samples).exact.tolist() == list(range(50))
    assert compared(samples[:1]).exact.tolist() == []
    assert compared(samples[:1], samples).exact.tolist() == [0]
