"""Memory of large models: freed tensors go back to the system at once, and mapped ones when they are not needed."""

from __future__ import annotations

import contextlib
import ctypes
import mmap
from typing import TYPE_CHECKING

from edgekit.frontend.program_size import LARGE_BYTES

if TYPE_CHECKING:
    from torch.export import ExportedProgram

    from edgekit.ir.program import Program

M_MMAP_THRESHOLD = -3
"""Parameter of glibc's mallopt(3): size in bytes from which a block has pages of its own."""
OWN_PAGES_BYTES = 1 << 20
MADV_PAGEOUT = 21
"""Advice of madvise(2), since Linux 5.4: take the pages back. Those of a file are read again when they are needed."""


def return_freed_memory() -> None:
    """Give blocks of 1 MiB and more pages of their own, which leave the process as they are freed; glibc only.

    By default the first freed block raises that size, to 32 MiB in the end, and weights that were freed stay in the
    heap between those in use: a quarter more for a large model. Small ones keep the default, by which their activations
    need no new pages at each call.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, OWN_PAGES_BYTES)


def is_large(program: Program) -> bool:
    """True if the weights of a program are so many that a build spares memory before anything else."""
    tensors = (*program.exported.state_dict.values(), *program.exported.constants.values())
    return sum(getattr(tensor, "nbytes", 0) for tensor in tensors) >= LARGE_BYTES


def page_out(exported: ExportedProgram) -> None:
    """Take the pages of a mapped program's weights out of memory; Linux only. They come back as they are read."""
    tensors = (*exported.state_dict.values(), *exported.constants.values())
    with contextlib.suppress(OSError, AttributeError):
        madvise = ctypes.CDLL(None).madvise
        for tensor in tensors:
            size = getattr(tensor, "nbytes", 0)
            if size >= OWN_PAGES_BYTES:
                start = -(-tensor.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
                madvise(ctypes.c_void_p(start), ctypes.c_size_t(size - mmap.PAGESIZE), MADV_PAGEOUT)
