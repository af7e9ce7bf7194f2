"""Random numbers of perturbations: even, normal, and the same on every machine and in every set."""

from __future__ import annotations

import hashlib

import numpy as np

from edgekit.perturb.draws import Draws, sample_keys
from edgekit.samples import Samples


def samples(count: int) -> Samples:
    return Samples({"image": np.arange(count * 12, dtype=np.uint8).reshape(count, 2, 2, 3)}, np.arange(count))


def test_the_words_are_those_of_every_machine() -> None:
    words = Draws("gaussian noise 3", sample_keys(samples(2), "image")).words(6)
    assert hashlib.sha256(words.astype("<u2").tobytes()).hexdigest()[:16] == "53b1d7c1ced27d68"


def test_a_sample_is_perturbed_alike_in_every_set_and_order() -> None:
    keys = sample_keys(samples(5), "image")
    whole = Draws("a", keys).normal(7)
    assert np.array_equal(Draws("a", keys[3:]).normal(7), whole[3:])
    assert not np.array_equal(Draws("b", keys).normal(7), whole)
    assert not np.array_equal(Draws("a", keys).other("twice").normal(7), whole)


def test_draws_have_the_distributions_that_they_state() -> None:
    draws = Draws("a", sample_keys(samples(4), "image"))
    normal, uniform, integers = draws.normal(50_000), draws.uniform(50_000), draws.integers(50_000, 5)
    assert abs(normal.mean()) < 0.01
    assert abs(normal.std() - 1) < 0.01
    assert 0 < uniform.min() < 0.001
    assert 0.999 < uniform.max() < 1
    assert np.allclose(np.bincount(integers.ravel()) / integers.size, 0.2, atol=0.01)
