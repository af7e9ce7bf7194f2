"""A set of samples is answered in shards; what has come is kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.errors import ProbeError, Unreachable
from edgekit.measure.shards import AnswerLooks, Outputs, Shards, answer_in_shards
from edgekit.samples import Samples


def _samples(count: int) -> Samples:
    return Samples({"x": np.arange(count, dtype=np.float32)[:, None]}, np.arange(count))


def _double(part: Samples) -> Outputs:
    return {"y": part.inputs["x"] * 2}


def _failing_after(count: int, seen: list[int]) -> Callable[[Samples], Outputs]:
    def ask(part: Samples) -> Outputs:
        seen.extend(int(value) for value in part.inputs["x"][:, 0])
        if len(seen) > count:
            raise Unreachable("gone")
        return _double(part)

    return ask


@given(count=st.integers(1, 300), first=st.integers(1, 50), most=st.integers(1, 800))
def test_every_sample_is_answered_once_and_in_order(count: int, first: int, most: int) -> None:
    seen: list[int] = []

    def ask(part: Samples) -> Outputs:
        seen.extend(part.labels.tolist())
        return _double(part)

    outputs, pace = answer_in_shards(_samples(count), ask, Shards(first=first, bytes=most))
    assert seen == list(range(count))
    np.testing.assert_array_equal(outputs["y"], 2 * np.arange(count, dtype=np.float32)[:, None])
    assert pace


def test_after_a_failure_only_the_rest_is_asked(tmp_path: Path) -> None:
    shards = Shards(keep=tmp_path / "kept", first=10, bytes=40)
    seen: list[int] = []
    with pytest.raises(Unreachable) as caught:
        answer_in_shards(_samples(100), _failing_after(50, seen), shards)
    assert "50 of 100 samples are kept" in caught.value.__notes__[0]
    again: list[int] = []
    outputs, _ = answer_in_shards(_samples(100), _failing_after(1000, again), shards)
    assert again == list(range(50, 100))
    np.testing.assert_array_equal(outputs["y"][:, 0], 2 * np.arange(100))
    assert not (tmp_path / "kept").exists()


def test_what_is_kept_ahead_is_not_asked_for_again(tmp_path: Path) -> None:
    with pytest.raises(Unreachable):
        answer_in_shards(_samples(30), _failing_after(20, []), Shards(keep=tmp_path, first=10, bytes=40))
    (tmp_path / "0.npz").write_bytes(b"damaged")
    seen: list[int] = []
    outputs, _ = answer_in_shards(_samples(30), _failing_after(100, seen), Shards(keep=tmp_path, first=3, bytes=40))
    assert seen == [*range(10), *range(20, 30)]
    np.testing.assert_array_equal(outputs["y"][:, 0], 2 * np.arange(30))


def test_shards_that_two_probes_at_once_kept_may_overlap(tmp_path: Path) -> None:
    for start, count in ((0, 10), (5, 10), (10, 20)):
        np.savez(tmp_path / f"{start}.npz", y=2 * np.arange(start, start + count, dtype=np.float32)[:, None])
    outputs, _ = answer_in_shards(_samples(30), _double, Shards(keep=tmp_path))
    np.testing.assert_array_equal(outputs["y"][:, 0], 2 * np.arange(30))


def test_endpoints_and_sets_are_kept_apart(tmp_path: Path) -> None:
    shards = Shards(keep=tmp_path)
    assert shards.of("ssh://a", "digest").keep != shards.of("ssh://b", "digest").keep
    assert Shards().of("ssh://a").keep is None


@pytest.mark.parametrize(("sample_bytes", "later"), [(1, 8), (3, 2), (9, 1)])
def test_a_shard_holds_no_more_bytes_than_are_allowed(sample_bytes: int, later: int) -> None:
    samples = Samples({"x": np.zeros((17, sample_bytes), np.uint8)}, np.arange(17))
    counts: list[int] = []

    def ask(part: Samples) -> Outputs:
        counts.append(len(part))
        return _double(part)

    answer_in_shards(samples, ask, Shards(first=1, bytes=8))
    assert counts == [1, *[later] * (16 // later)]


def test_an_answer_of_another_length_is_an_error() -> None:
    with pytest.raises(ProbeError, match="'y' came with 9 rows for 10 samples"):
        answer_in_shards(_samples(10), lambda part: {"y": part.inputs["x"][1:]}, Shards())


def test_whoever_waits_is_told_how_far_it_is() -> None:
    lines: list[str] = []
    answer_in_shards(_samples(20), _double, Shards(tell=lines.append, first=10, bytes=40))
    assert lines[0].startswith("10 of 20 samples, ")
    assert lines[-1].startswith("20 of 20 samples, ")


def test_no_more_is_asked_once_a_look_is_enough() -> None:
    seen: list[int] = []
    looked: list[int] = []

    def ask(part: Samples) -> Outputs:
        seen.extend(part.labels.tolist())
        return _double(part)

    def enough(outputs: Outputs) -> bool:
        looked.append(len(outputs["y"]))
        return looked[-1] >= 60

    looks = AnswerLooks((25, 60, 100, 300), enough)
    outputs, _ = answer_in_shards(_samples(300), ask, Shards(first=40, bytes=160, looks=looks))
    assert (seen, looked, len(outputs["y"])) == (list(range(60)), [25, 60], 60)


def test_after_a_failure_the_looks_are_taken_again_and_the_rest_is_asked(tmp_path: Path) -> None:
    shards = Shards(keep=tmp_path, first=10, bytes=40, looks=AnswerLooks((25, 60, 100), lambda out: len(out["y"]) > 50))
    with pytest.raises(Unreachable):
        answer_in_shards(_samples(100), _failing_after(30, []), shards.of("one"))
    again: list[int] = []
    outputs, _ = answer_in_shards(_samples(100), _failing_after(1000, again), shards.of("one"))
    assert again == list(range(25, 60))
    assert len(outputs["y"]) == 60
