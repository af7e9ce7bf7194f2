"""The runtimes of TensorFlow Lite models: LiteRT and tflite-runtime."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..machine.runtime_versions import version_of
from ..model.buckets import bucketed, has_buckets
from ..model.entry_points import DECODE, PREFILL, by_count
from ..model.lengths import GRAPH
from ..model.manifest import check_no_options
from .litert_compiled_model import KNOWN, LIBRARY

if TYPE_CHECKING:
    from ..model.accelerator import AcceleratorFacts
    from ..model.io_signature import IoSignature
    from ..model.manifest import RunnerManifest
    from ..model.tensors import Array, Call
    from .trace import Trace


class TFLiteRuntime:
    """LiteRT or tflite-runtime, with the XNNPACK delegate that both apply by themselves."""

    provider: str | None = None
    accelerator: AcceleratorFacts | None = None

    def __init__(self, distribution: str) -> None:
        self._distribution = distribution
        self._module = import_module(distribution.replace("-", "_") + ".interpreter")
        self._interpreter = self._module.Interpreter

    def load(self, manifest: RunnerManifest, threads: int) -> Call:
        check_no_options(manifest)
        interpreter = self._interpreter(model_path=str(manifest.model), num_threads=threads)
        if has_buckets(manifest):
            return bucketed(manifest, lambda number: _signature_call(interpreter, manifest, GRAPH.format(number)))
        interpreter.allocate_tensors()
        input_indices = [detail["index"] for detail in interpreter.get_input_details()]
        output_indices = [detail["index"] for detail in interpreter.get_output_details()]
        set_tensor, invoke, get_tensor = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor

        def call(inputs: Sequence[Array]) -> list[Array]:
            for i, index in enumerate(input_indices):
                set_tensor(index, inputs[i])
            invoke()
            return [get_tensor(index) for index in output_indices]

        def load_prefill(count: int) -> Call:
            return _signature_call(interpreter, manifest, PREFILL.format(count))

        # `invoke` fails once there is a signature's runner: with several, all are called by their names.
        decode = _signature_call(interpreter, manifest, DECODE) if manifest.prefill else call
        return by_count(manifest, decode, load_prefill)

    def trace(self, manifest: RunnerManifest, threads: int, scratch: Path) -> Trace:
        from .litert_trace import LiteRtTrace
        from .trace import Untraced

        if has_buckets(manifest):
            return Untraced(
                self.load(manifest, threads), "a model with buckets is not traced: the whole is all there is"
            )
        library = c_library(self._distribution)
        if library is None:
            note = f"this {self._distribution} has no tool for it that is known here: the whole is all there is"
            return Untraced(self.load(manifest, threads), note)
        try:
            return LiteRtTrace(library, manifest, threads, tensor_names(self._interpreter, manifest.model))
        except RuntimeError as error:
            return Untraced(
                self.load(manifest, threads), f"LiteRT cannot trace it ({error}): the whole is all there is"
            )

    def edges(self, model: Path) -> IoSignature:
        from ..model.io_signature import of_tflite

        return of_tflite(self._interpreter(model_path=str(model)))


def c_library(distribution: str) -> Path | None:
    """LiteRT's library with its C API, of a version that is known here; None if `distribution` has none."""
    known = (version_of(distribution) or "").startswith(KNOWN)
    if distribution != "ai-edge-litert" or not known:
        return None
    spec = find_spec("ai_edge_litert")
    # In its package, or where a runtime pack has it.
    places = [*map(Path, (spec and spec.submodule_search_locations) or ()), Path(sys.prefix) / "lib"]
    return next((place / LIBRARY for place in places if (place / LIBRARY).is_file()), None)


def tensor_names(interpreter: Any, model: Path) -> tuple[list[str], list[str]]:
    """Names of the input and output tensors of a model file, by the class `interpreter`."""
    opened = interpreter(model_path=str(model))
    inputs, outputs = opened.get_input_details(), opened.get_output_details()
    return [detail["name"] for detail in inputs], [detail["name"] for detail in outputs]


def _signature_call(interpreter: Any, manifest: RunnerManifest, key: str) -> Call:
    """Make a function of the signature `key` of a file."""
    run = interpreter.get_signature_runner(key)
    inputs, outputs = [tensor.name for tensor in manifest.inputs], [tensor.name for tensor in manifest.outputs]

    def call(arrays: Sequence[Array]) -> list[Array]:
        results = run(**{name: arrays[i] for i, name in enumerate(inputs)})
        return [results[name] for name in outputs]

    return call
