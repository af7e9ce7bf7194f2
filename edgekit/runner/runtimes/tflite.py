"""The runtimes of TensorFlow Lite models: LiteRT and tflite-runtime."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..machine.runtime_versions import version_of
from ..model.buckets import bucketed, has_buckets
from ..model.entry_points import DECODE, PREFILL, by_count
from ..model.lengths import GRAPH
from ..model.manifest import check_no_options

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
        from . import litert_compiled_model
        from .trace import Untraced

        if has_buckets(manifest):
            return Untraced(
                self.load(manifest, threads), "a model with buckets is not traced: the whole is all there is"
            )
        # In its package, or where a runtime pack has it.
        places = Path(str(self._module.__file__)).parent, Path(sys.prefix) / "lib"
        library = next(
            (
                place / litert_compiled_model.LIBRARY
                for place in places
                if (place / litert_compiled_model.LIBRARY).is_file()
            ),
            None,
        )
        known = (version_of(self._distribution) or "").startswith(litert_compiled_model.KNOWN)
        if self._distribution != "ai-edge-litert" or not known or library is None:
            note = f"this {self._distribution} has no tool for it that is known here: the whole is all there is"
            return Untraced(self.load(manifest, threads), note)
        interpreter = self._interpreter(model_path=str(manifest.model))
        inputs, outputs = interpreter.get_input_details(), interpreter.get_output_details()
        names = [detail["name"] for detail in inputs], [detail["name"] for detail in outputs]
        try:
            return litert_compiled_model.LiteRtTrace(library, manifest, threads, names)
        except RuntimeError as error:
            return Untraced(
                self.load(manifest, threads), f"LiteRT cannot trace it ({error}): the whole is all there is"
            )

    def edges(self, model: Path) -> IoSignature:
        from ..model.io_signature import of_tflite

        return of_tflite(self._interpreter(model_path=str(model)))


def _signature_call(interpreter: Any, manifest: RunnerManifest, key: str) -> Call:
    """Make a function of the signature `key` of a file."""
    run = interpreter.get_signature_runner(key)
    inputs, outputs = [tensor.name for tensor in manifest.inputs], [tensor.name for tensor in manifest.outputs]

    def call(arrays: Sequence[Array]) -> list[Array]:
        results = run(**{name: arrays[i] for i, name in enumerate(inputs)})
        return [results[name] for name in outputs]

    return call
