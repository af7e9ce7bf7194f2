"""Arrays from outside: as NumPy wrote them, and never larger than they came."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from edgekit.ir.measurement import Array
from edgekit.untrusted.npy import read_from, read_npy, read_npz

KINDS = arrays.scalar_dtypes().filter(lambda kind: kind.kind in "biufc")


def saved(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def read(raw: bytes) -> Array:
    return read_from(io.BytesIO(raw), len(raw))


def stating(shape: bytes, kind: bytes = b"<f4") -> bytes:
    """A file with that header, and one number."""
    header = b"{'descr': '%s', 'fortran_order': False, 'shape': %s, }" % (kind, shape)
    header = header.ljust(117) + b"\n"
    return b"\x93NUMPY\1\0" + len(header).to_bytes(2, "little") + header + bytes(4)


@given(arrays.arrays(KINDS, arrays.array_shapes(min_dims=0, min_side=0)), st.booleans())
def test_what_numpy_saves_is_read_as_it_was(array: Array, fortran: bool) -> None:
    array = np.asfortranarray(array) if fortran else array
    result = read(saved(array))
    assert (result.dtype, result.shape) == (array.dtype, array.shape)
    assert result.tobytes() == array.tobytes()


@pytest.mark.parametrize(
    "raw",
    [
        stating(b"(3, 10000000000)"),
        stating(b"(320000000000,)"),
        stating(b"(%s,)" % (b"9" * 18)),
        stating(b"(1,)", b"|O"),
        stating(b"(1,)", b"<M8"),
        stating(b"(-1,)"),
        stating(b"(%s)" % (b"1," * 400)),
        stating(b"__import__('os').getcwd()"),
        stating(b"(1,)").replace(b"\1\0", b"\x09\0", 1),
        saved(np.ones(9))[:-1],
        saved(np.ones(9)) + b"x",
        b"",
        b"\x93NUMPY\2\0\xff\xff\xff\xff",
    ],
    ids=lambda raw: repr(raw[60:90]),
)
def test_a_file_that_is_not_what_its_header_states_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  callers say what it was that they read
        read(raw)


@given(st.binary(max_size=300), st.integers(0, 200))
def test_a_changed_file_is_read_or_refused(noise: bytes, at: int) -> None:
    raw = saved(np.arange(12.0))
    try:
        read(raw[:at] + noise + raw[at + len(noise) :])
    except ValueError:
        return


def test_an_archive_may_be_packed_or_must_not(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "packed.npz", a=np.zeros(1000), b=np.ones(3))
    np.savez(tmp_path / "plain.npz", a=np.zeros(1000))
    assert set(read_npz(tmp_path / "packed.npz")) == {"a", "b"}
    assert set(read_npz(tmp_path / "packed.npz", names={"b", "c"})) == {"b"}
    assert read_npz(tmp_path / "plain.npz", packed=False)["a"].shape == (1000,)
    with pytest.raises(ValueError, match="compressed"):
        read_npz(tmp_path / "packed.npz", packed=False)


def test_an_archive_whose_header_states_more_than_it_holds_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
        archive.writestr("a.npy", stating(b"(320000000000,)"))
    with pytest.raises(ValueError, match="its header states"):
        read_npz(tmp_path / "bomb.npz")


@given(st.binary(max_size=200), st.integers(0, 400))
def test_a_changed_archive_is_read_or_refused(noise: bytes, at: int) -> None:
    file = io.BytesIO()
    np.savez(file, a=np.arange(3))
    raw = file.getvalue()
    try:
        read_npz(io.BytesIO(raw[:at] + noise + raw[at + len(noise) :]))
    except ValueError:
        return


def test_a_file_that_is_not_there_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_npy(tmp_path / "none.npy")
