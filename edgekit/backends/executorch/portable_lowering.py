"""Lowering without a delegate: every operator, Q and DQ too, by ExecuTorch's portable kernels."""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.ir.program import Program


def portable_file(program: Program, folder: Path) -> Path:
    """Write the program, undelegated, as a .pte file into `folder`. Raises what executorch raises."""
    with warnings.catch_warnings():
        # torch and executorch warn of deprecated calls that are their own.
        for category in (FutureWarning, DeprecationWarning, UserWarning):
            warnings.simplefilter("ignore", category)
        import_module("executorch.kernels.quantized")  # registers Q and DQ as operators of the runtime
        from executorch.exir import to_edge_transform_and_lower

        lowered = to_edge_transform_and_lower({"forward": program.exported}).to_executorch()
    path = folder / "portable.pte"
    path.write_bytes(bytes(lowered.buffer))
    return path
