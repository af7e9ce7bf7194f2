"""Read untrusted arrays, `.npy` and `.npz`: none may be larger than its file.

The format is that of NumPy (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html), versions 1 to 3,
without objects and records. `numpy.load` takes the header's word for how much memory it needs, and evaluates it as
Python.
"""

from __future__ import annotations

import math
import re
import struct
import zipfile
import zlib
from collections.abc import Container
from pathlib import Path
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
HEADER = re.compile(
    rb"\{'descr': '([<>|=][biufcSU][0-9]{1,9})', 'fortran_order': (True|False), "
    rb"'shape': \((|[0-9]{1,18},|[0-9]{1,18}(?:, ?[0-9]{1,18})+,?)\),? ?\} *\n?"
)
"""Header as `numpy.save` has written it since version 1.0 of the format, with sorted keys."""
MAX_HEADER = 10_000
MAX_AXES = 32
MAX_ARRAYS = 1000
READ = 1 << 20
DAMAGED = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""Exceptions of `zipfile` for archives that are damaged, or, both RuntimeError, encrypted or of an unknown method."""


def header_bytes(array_bytes: int) -> int:
    """Limit of the size of a `.npy` file whose array has `array_bytes` bytes."""
    return array_bytes + MAX_HEADER


def read_npy(path: Path) -> Array:
    """Read a `.npy` file. Raises ValueError if it is none, or not as long as its header states; OSError."""
    with path.open("rb") as file:
        return read_from(file, path.stat().st_size)


def read_from(file: IO[bytes], size: int) -> Array:
    """Read the array in the next `size` bytes of a file, which must be all of it. Raises ValueError."""
    dtype, fortran, shape, start = _header(file)
    count = math.prod(shape)
    if start + count * dtype.itemsize != size:
        raise ValueError(f"{size:,} bytes are not the {dtype}{list(shape)} that its header states")
    values = np.empty(count, dtype)
    if values.nbytes:
        _fill(file, values.view(np.uint8).data)
    return values.reshape(shape[::-1]).transpose() if fortran else values.reshape(shape)


def read_npz(source: Path | IO[bytes], packed: bool = True, names: Container[str] | None = None) -> dict[str, Array]:
    """Read the arrays of a `.npz` archive by name: those in `names`, or all.

    `packed` says whether they may be compressed. Where they may not, they take no more memory than the file is long.
    Raises ValueError if it is no such archive, or a damaged one; OSError if the file cannot be read.
    """
    try:
        with zipfile.ZipFile(source) as archive:
            members = archive.infolist()
            if len(members) > MAX_ARRAYS:
                raise ValueError(f"more than {MAX_ARRAYS} arrays")
            named = {member.filename.removesuffix(".npy"): member for member in members}
            wanted = (name for name in named if names is None or name in names)
            return {name: _member(archive, named[name], packed) for name in wanted}
    except MemoryError:
        raise ValueError("its arrays do not fit into memory") from None
    except OSError:
        raise
    except zipfile.BadZipFile as error:
        raise ValueError(f"it is no whole .npz archive: {error}") from error
    except DAMAGED as error:
        raise ValueError(str(error) or type(error).__name__) from error


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, packed: bool) -> Array:
    if member.compress_type != zipfile.ZIP_STORED and not packed:
        raise ValueError(f"'{member.filename}' is compressed")
    with archive.open(member) as file:
        return read_from(file, member.file_size)


def _header(file: IO[bytes]) -> tuple[np.dtype[Any], bool, tuple[int, ...], int]:
    """Parse a header: dtype, true for Fortran order, shape, and the offset of the values. Raises ValueError."""
    start = file.read(8)
    if start[:6] != b"\x93NUMPY" or start[6:] not in (b"\1\0", b"\2\0", b"\3\0"):
        raise ValueError("it does not begin as a .npy file does")
    form = "<H" if start[6] == 1 else "<I"
    field = file.read(struct.calcsize(form))
    if len(field) != struct.calcsize(form):
        raise ValueError("its header ends early")
    (length,) = struct.unpack(form, field)
    if length > MAX_HEADER:
        raise ValueError(f"its header has {length:,} bytes")
    header = HEADER.fullmatch(file.read(length))
    if header is None:
        raise ValueError("its header states no array of plain numbers")
    shape = tuple(int(size) for size in header[3].split(b",") if size.strip())
    if len(shape) > MAX_AXES:
        raise ValueError(f"its header states {len(shape)} axes")
    try:
        dtype = np.dtype(header[1].decode())
    except TypeError as error:
        raise ValueError("its header states no array of plain numbers") from error
    return dtype, header[2] == b"True", shape, len(start) + len(field) + length


def _fill(file: IO[bytes], values: memoryview) -> None:
    """Read in pieces, so that memory grows only with bytes that are there. Raises ValueError if a stream ends early."""
    position = 0
    while position < len(values):
        piece = file.read(min(READ, len(values) - position))
        if not piece:
            raise ValueError("it ends early")
        values[position : position + len(piece)] = piece
        position += len(piece)
