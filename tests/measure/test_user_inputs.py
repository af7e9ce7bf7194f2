"""Which samples a bare model is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.measure.user_inputs import INPUTS, read_inputs, samples_for
from edgekit.samples import Samples

LABELS = np.arange(3, dtype=np.int64)


def _takes(*inputs: tuple[str, str, tuple[int, ...]]) -> Signature:
    return Signature(tuple(TensorSpec(*spec) for spec in inputs), ())


def _pixels(**names: Array) -> Samples:
    return Samples(names or {"image": np.ones((3, 8, 8, 3), np.uint8)}, LABELS)


def test_samples_go_by_name_where_names_agree() -> None:
    first, second = np.zeros((3, 2), np.float32), np.ones((3, 2), np.float32)
    signature = _takes(("b", "float32", (1, 2)), ("a", "float32", (1, 2)))
    chosen = samples_for(signature, _pixels(a=first, b=second))
    assert list(chosen.inputs) == ["b", "a"]
    assert chosen.inputs["a"] is first
    np.testing.assert_array_equal(chosen.labels, LABELS)


def test_samples_go_by_what_fits_where_names_do_not_agree() -> None:
    image, mask = np.ones((3, 8, 8, 3), np.uint8), np.zeros((3, 4), np.float32)
    signature = _takes(("input_0", "float32", (1, 4)), ("input_1", "uint8", (1, 8, 8, 3)))
    chosen = samples_for(signature, _pixels(image=image, mask=mask))
    assert chosen.inputs["input_0"] is mask
    assert chosen.inputs["input_1"] is image


@pytest.mark.parametrize(
    ("signature", "said"),
    [
        (_takes(("x", "float32", (1, 3, 8, 8))), r"takes x: float32\[N, 3, 8, 8\].* takes preprocessed values"),
        (_takes(("x", "uint8", (1, 9, 9, 3))), r"takes x: uint8\[N, 9, 9, 3\], the samples are image: uint8\[N, 8"),
        (_takes(("x", "uint8", (1, 8, 8, 3)), ("y", "uint8", (1, 1))), "the samples are image"),
    ],
)
def test_samples_that_the_model_does_not_take_are_refused(signature: Signature, said: str) -> None:
    with pytest.raises(DataError, match=said) as raised:
        samples_for(signature, _pixels())
    assert "--inputs FILE.npz" in str(raised.value.hint)


def test_inputs_that_are_alike_are_not_guessed() -> None:
    signature = _takes(("input_0", "float32", (1, 2)), ("input_1", "float32", (1, 2)))
    with pytest.raises(DataError, match="are alike"):
        samples_for(signature, _pixels(a=np.zeros((3, 2), np.float32), b=np.ones((3, 2), np.float32)))


SIGNATURE = _takes(("x", "float32", (1, 2)))


def _saved(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def test_inputs_of_ones_own_are_read_with_their_labels(tmp_path: Path) -> None:
    given = np.ones((3, 2), np.float32)
    chosen = read_inputs(_saved(tmp_path / "in.npz", x=given, labels=LABELS, other=LABELS), SIGNATURE)
    assert list(chosen.inputs) == ["x"]
    np.testing.assert_array_equal(chosen.inputs["x"], given)
    np.testing.assert_array_equal(chosen.labels, LABELS)
    unlabelled = read_inputs(_saved(tmp_path / "in.npz", x=given), SIGNATURE)
    assert unlabelled.labels.shape == (3, 0)


TAKES = "the model takes x: float32[N, 2]"


@pytest.mark.parametrize(
    ("arrays", "said", "hint"),
    [
        ({"y": np.ones((3, 2), np.float32)}, "has no array 'x', it has y", TAKES),
        ({"z": np.ones(1), "y": np.ones(1)}, "has no array 'x', it has y, z", TAKES),
        ({"x": np.ones((3, 2))}, r"'x' in .* is float64\[N, 2\]", TAKES),
        ({"x": np.ones((0, 2), np.float32)}, r"'x' in .* is float32\[N, 2\]", TAKES),
        ({"x": np.ones((2, 2), np.float32), "labels": LABELS}, "have different lengths", INPUTS),
        ({"x": np.array([{}], object)}, "cannot be read as arrays", INPUTS),
    ],
)
def test_other_inputs_are_refused(tmp_path: Path, arrays: dict[str, Array], said: str, hint: str) -> None:
    with pytest.raises(DataError, match=said) as raised:
        read_inputs(_saved(tmp_path / "in.npz", **arrays), SIGNATURE)
    assert raised.value.hint == hint


def test_what_is_no_npz_is_refused(tmp_path: Path) -> None:
    (tmp_path / "in.npz").write_bytes(b"PK\x03\x04 and no more")
    np.save(tmp_path / "one.npy", LABELS)
    for path in (tmp_path / "in.npz", tmp_path / "none.npz", tmp_path / "one.npy"):
        with pytest.raises(DataError, match="cannot be read as arrays"):
            read_inputs(path, SIGNATURE)
