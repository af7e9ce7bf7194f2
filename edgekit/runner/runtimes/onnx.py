"""The runtime of ONNX models, onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..model.entry_points import PREFILL, by_count
from .onnx_providers import execution_providers, provider_name
from .onnx_session import session_options

if TYPE_CHECKING:
    from ..model.accelerator import AcceleratorFacts
    from ..model.io_signature import IoSignature
    from ..model.manifest import RunnerManifest
    from ..model.tensors import Array, Call
    from .trace import Trace


class OnnxRuntime:
    """onnxruntime, on the first provider of the engine plan that works, else on the CPU.

    The manifest's options are session config entries.
    """

    provider: str | None = None
    accelerator: AcceleratorFacts | None = None

    def __init__(self, distribution: str) -> None:
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # 1.31 reports to its maker from the import on
        self._runtime = import_module("onnxruntime")  # of the GPU's build too

    def load(self, manifest: RunnerManifest, threads: int) -> Call:
        decode = self._open_session(manifest, session_options(self._runtime, manifest, threads))[0]

        def load_prefill(count: int) -> Call:
            entry = manifest._replace(model=manifest.model.with_name(PREFILL.format(count) + manifest.model.suffix))
            return self._open_session(entry, session_options(self._runtime, entry, threads))[0]

        return by_count(manifest, decode, load_prefill)

    def trace(self, manifest: RunnerManifest, threads: int, scratch: Path) -> Trace:
        from .onnx_trace import OnnxTrace

        options = session_options(self._runtime, manifest, threads)
        options.enable_profiling = True
        options.profile_file_prefix = str(scratch / "trace")
        return OnnxTrace(*self._open_session(manifest, options))

    def edges(self, model: Path) -> IoSignature:
        from ..model.io_signature import of_onnx

        return of_onnx(self._runtime.InferenceSession(str(model), providers=["CPUExecutionProvider"]))

    def _open_session(self, manifest: RunnerManifest, options: Any) -> tuple[Call, Any]:
        providers = execution_providers(manifest.plan, self._runtime.get_available_providers(), manifest.engine)
        session = self._runtime.InferenceSession(str(manifest.model), options, providers=providers)
        self.provider = provider_name(session.get_providers())
        run = session.run
        names = [tensor.name for tensor in manifest.inputs]
        outputs = [tensor.name for tensor in manifest.outputs]

        def call(inputs: Sequence[Array]) -> list[Array]:
            results: list[Array] = run(outputs, {name: inputs[i] for i, name in enumerate(names)})
            return results

        return call, session
