"""ExecuTorch's portable kernels as reference: they run the program lowered without a delegate, Q and DQ too.

A delegated part of a file is for its delegate alone.
"""

from __future__ import annotations

import warnings
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgekit.ir.program import Program
    from edgekit.runner.model.manifest import RunnerManifest
    from edgekit.runner.model.tensors import Call
    from edgekit.runner.runtimes.base import Runtime

KERNELS = "ExecuTorch's portable kernels"
SUSPECT = "XNNPACK's delegate"


def reference_call(runtime: Runtime, manifest: RunnerManifest, threads: int, program: Program, folder: Path) -> Call:
    """Function that computes `program` by these kernels. folder: an empty one, for its file."""
    return runtime.load(manifest._replace(model=_portable_file(program, folder)), threads)


def _portable_file(program: Program, folder: Path) -> Path:
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
