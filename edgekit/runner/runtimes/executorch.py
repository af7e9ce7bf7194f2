"""ExecuTorch's Python runtime, which comes with torch."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model.entry_points import PREFILL, by_count
from ..model.manifest import check_no_options

if TYPE_CHECKING:
    from ..model.accelerator import AcceleratorFacts
    from ..model.io_signature import IoSignature
    from ..model.manifest import RunnerManifest
    from ..model.tensors import Array, Call
    from .trace import Trace


class ExecuTorchRuntime:
    """ExecuTorch's Python runtime."""

    provider: str | None = None
    accelerator: AcceleratorFacts | None = None

    def __init__(self, distribution: str) -> None:
        self._torch = import_module("torch")
        # Not `executorch.runtime`: that imports the whole exporter, 2.4 s and 130 MB more (executorch 1.5.1).
        self._native = import_module(f"{distribution}.extension.pybindings._C")

    def load(self, manifest: RunnerManifest, threads: int) -> Call:
        decode, program = self._load_program(manifest, threads, traced=False)
        return by_count(manifest, decode, lambda count: self._method(program, PREFILL.format(count)))

    def trace(self, manifest: RunnerManifest, threads: int, scratch: Path) -> Trace:
        from .executorch_trace import ExecuTorchTrace

        call, program = self._load_program(manifest, threads, traced=True)

        def write(path: Path) -> None:
            program.write_etdump_result_to_file(str(path), f"{path}.tensors")

        return ExecuTorchTrace(call, write, manifest.model, scratch)

    def edges(self, model: Path) -> IoSignature:
        from ..model.io_signature import of_pte

        return of_pte(model)

    def _load_program(self, manifest: RunnerManifest, threads: int, traced: bool) -> tuple[Call, Any]:
        check_no_options(manifest)
        self._native._unsafe_reset_threadpool(threads)
        program = self._native._load_program(str(manifest.model), enable_etdump=traced)
        return self._method(program, "forward"), program

    def _method(self, program: Any, name: str) -> Call:
        from_numpy, method = self._torch.from_numpy, program.load_method(name)

        def call(inputs: Sequence[Array]) -> list[Array]:
            return [output.numpy() for output in method([from_numpy(array) for array in inputs])]

        return call
