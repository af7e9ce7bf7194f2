"""The three runtimes behind one interface: a file becomes a function from arrays to arrays."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .engines import ENGINE
from .errors import RunnerError
from .manifest import no_options
from .providers import execution_providers, used

if TYPE_CHECKING:
    from .edges import Edges
    from .manifest import Manifest
    from .tensors import Array
    from .trace import Trace

    Call = Callable[[Sequence[Array]], list[Array]]
    """From inputs [1, …] to outputs [1, …], both in the signature's order."""

NEWER = "Didn't find op for builtin opcode"
"""What TensorFlow Lite says of an operator, or a version of one, that came after it."""
NATIVE = Path(sys.prefix) / "lib" / "libedgekit_executorch.so"
"""Where a runtime pack has what stands in for torch."""
# By format, in order of preference: the distributions that run it, and what else each needs.
DISTRIBUTIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "pte": {"executorch": () if NATIVE.is_file() else ("torch",)},
    "onnx": {"onnxruntime": ()},
    "tflite": {"ai-edge-litert": (), "tflite-runtime": ()},
}
ONNX_GPU, TENSORRT = "onnxruntime-gpu", "tensorrt"
"""What a board with an NVIDIA GPU brings itself: NVIDIA's build of onnxruntime, and TensorRT's own Python module."""


class Runtime(Protocol):
    """Imports what it needs when made."""

    provider: str | None
    """What runs the model that was loaded last, as targets name it, where a runtime has several to choose from."""

    def load(self, manifest: Manifest, threads: int) -> Call: ...

    def trace(self, manifest: Manifest, threads: int, scratch: Path) -> Trace:
        """The same model, loaded so that it is traced; `scratch` is a folder for what is written meanwhile."""
        ...

    def edges(self, model: Path) -> Edges:
        """What a bare file takes and gives."""
        ...


def installed() -> dict[str, str | None]:
    """By format, name and version of the runtime that would run it here; None where there is none."""
    return {format: _label(format) for format in DISTRIBUTIONS}


def open_runtime(format: str, engine: Path | None = None) -> tuple[str, Runtime]:
    """Name and version of the runtime of a format, and the runtime, imported: TensorRT's own for an `engine` of it.

    Raises RunnerError (runtime) if it is not installed or does not import.
    """
    label = _label(format) if format in DISTRIBUTIONS else None
    if engine and (engine / ENGINE).is_file() and version_of(TENSORRT):
        label = f"{TENSORRT} {version_of(TENSORRT)}"
    if label is None:
        needed = " or ".join(DISTRIBUTIONS.get(format, ()))
        raise RunnerError("runtime", f"nothing here runs .{format}" + (f": install {needed}" if needed else ""))
    try:
        distribution = label.partition(" ")[0]
        return label, _tensorrt() if distribution == TENSORRT else RUNTIMES[format](distribution)
    except Exception as error:
        raise RunnerError("runtime", f"'{label}' does not import: {error}") from error


def load(runtime: Runtime, manifest: Manifest, threads: int) -> Call:
    """The model as a function. Raises RunnerError (load)."""
    with load_errors(manifest):
        return runtime.load(manifest, threads)


@contextmanager
def load_errors(manifest: Manifest) -> Iterator[None]:
    """What a runtime raises while it loads a model, as RunnerError."""
    try:
        yield
    except RunnerError:
        raise
    except Exception as error:
        if NEWER in str(error):
            raise RunnerError("runtime", f"'{manifest.model.name}' needs a newer runtime: {error}") from error
        raise RunnerError("load", f"'{manifest.model.name}' cannot be loaded: {error}") from error


class ExecuTorch:
    """ExecuTorch's Python runtime."""

    provider: str | None = None

    def __init__(self, distribution: str) -> None:
        self._torch = import_module("torch")
        # Not `executorch.runtime`: that imports the whole exporter, 2.4 s and 130 MB more (executorch 1.5.1).
        self._native = import_module(f"{distribution}.extension.pybindings._C")

    def load(self, manifest: Manifest, threads: int) -> Call:
        return self._opened(manifest, threads, traced=False)[0]

    def trace(self, manifest: Manifest, threads: int, scratch: Path) -> Trace:
        from .executorch_trace import ExecuTorchTrace

        call, program = self._opened(manifest, threads, traced=True)

        def write(path: Path) -> None:
            program.write_etdump_result_to_file(str(path), f"{path}.tensors")

        return ExecuTorchTrace(call, write, manifest.model, scratch)

    def edges(self, model: Path) -> Edges:
        from .edges import of_pte

        return of_pte(model)

    def _opened(self, manifest: Manifest, threads: int, traced: bool) -> tuple[Call, Any]:
        no_options(manifest)
        from_numpy = self._torch.from_numpy
        self._native._unsafe_reset_threadpool(threads)
        program = self._native._load_program(str(manifest.model), enable_etdump=traced)
        method = program.load_method("forward")

        def call(inputs: Sequence[Array]) -> list[Array]:
            return [output.numpy() for output in method([from_numpy(array) for array in inputs])]

        return call, program


class Onnx:
    """onnxruntime, on the first provider of the engine plan that works, else on the CPU.

    The manifest's options are session config entries.
    """

    provider: str | None = None

    def __init__(self, distribution: str) -> None:
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # 1.31 reports to its maker from the import on
        self._runtime = import_module("onnxruntime")  # of the GPU's build too

    def load(self, manifest: Manifest, threads: int) -> Call:
        return self._opened(manifest, threads, self._runtime.SessionOptions())[0]

    def trace(self, manifest: Manifest, threads: int, scratch: Path) -> Trace:
        from .onnx_trace import OnnxTrace

        options = self._runtime.SessionOptions()
        options.enable_profiling = True
        options.profile_file_prefix = str(scratch / "trace")
        return OnnxTrace(*self._opened(manifest, threads, options))

    def edges(self, model: Path) -> Edges:
        from .edges import of_onnx

        return of_onnx(self._runtime.InferenceSession(str(model), providers=["CPUExecutionProvider"]))

    def _opened(self, manifest: Manifest, threads: int, options: Any) -> tuple[Call, Any]:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.graph_optimization_level = self._runtime.GraphOptimizationLevel.ORT_ENABLE_ALL
        for key, value in manifest.options:
            options.add_session_config_entry(key, value)
        providers = execution_providers(manifest.plan, self._runtime.get_available_providers(), manifest.engine)
        session = self._runtime.InferenceSession(str(manifest.model), options, providers=providers)
        self.provider = used(session.get_providers())
        run = session.run
        names = [tensor.name for tensor in manifest.inputs]
        outputs = [tensor.name for tensor in manifest.outputs]

        def call(inputs: Sequence[Array]) -> list[Array]:
            found: list[Array] = run(outputs, {name: inputs[i] for i, name in enumerate(names)})
            return found

        return call, session


class TFLite:
    """LiteRT or tflite-runtime, with the XNNPACK delegate that both apply by themselves."""

    provider: str | None = None

    def __init__(self, distribution: str) -> None:
        self._distribution = distribution
        self._module = import_module(distribution.replace("-", "_") + ".interpreter")
        self._interpreter = self._module.Interpreter

    def load(self, manifest: Manifest, threads: int) -> Call:
        no_options(manifest)
        interpreter = self._interpreter(model_path=str(manifest.model), num_threads=threads)
        interpreter.allocate_tensors()
        taken = [detail["index"] for detail in interpreter.get_input_details()]
        given = [detail["index"] for detail in interpreter.get_output_details()]
        set_tensor, invoke, get_tensor = interpreter.set_tensor, interpreter.invoke, interpreter.get_tensor

        def call(inputs: Sequence[Array]) -> list[Array]:
            for i, index in enumerate(taken):
                set_tensor(index, inputs[i])
            invoke()
            return [get_tensor(index) for index in given]

        return call

    def trace(self, manifest: Manifest, threads: int, scratch: Path) -> Trace:
        from . import litert
        from .trace import Untraced

        # In its package, or where a runtime pack has it.
        places = Path(str(self._module.__file__)).parent, Path(sys.prefix) / "lib"
        library = next((place / litert.LIBRARY for place in places if (place / litert.LIBRARY).is_file()), None)
        known = (version_of(self._distribution) or "").startswith(litert.KNOWN)
        if self._distribution != "ai-edge-litert" or not known or library is None:
            note = f"this {self._distribution} has no tool for it that is known here: the whole is all there is"
            return Untraced(self.load(manifest, threads), note)
        interpreter = self._interpreter(model_path=str(manifest.model))
        taken, given = interpreter.get_input_details(), interpreter.get_output_details()
        names = [detail["name"] for detail in taken], [detail["name"] for detail in given]
        try:
            return litert.LiteRtTrace(library, manifest, threads, names)
        except RuntimeError as error:
            return Untraced(
                self.load(manifest, threads), f"LiteRT cannot trace it ({error}): the whole is all there is"
            )

    def edges(self, model: Path) -> Edges:
        from .edges import of_tflite

        return of_tflite(self._interpreter(model_path=str(model)))


def _executorch(distribution: str) -> Runtime:
    if not NATIVE.is_file():
        return ExecuTorch(distribution)
    from .executorch_native import ExecuTorchNative

    return ExecuTorchNative(NATIVE)


def _tensorrt() -> Runtime:
    from .tensorrt_engine import TensorRT

    return TensorRT()


RUNTIMES: dict[str, Callable[[str], Runtime]] = {"pte": _executorch, "onnx": Onnx, "tflite": TFLite}


def _label(format: str) -> str | None:
    theirs = DISTRIBUTIONS[format]
    if format == "onnx":
        theirs = {ONNX_GPU: (), **theirs, TENSORRT: ()}
    for distribution, needs in theirs.items():
        versions = [version_of(name) for name in (distribution, *needs)]
        if all(versions):
            return f"{distribution} {versions[0]}"
    return None


def version_of(distribution: str) -> str | None:
    """Of what this Python has; None if it has none.

    A wheel says it by the name of its folder of metadata; to read what is in there takes as long as a small model.
    """
    # PEP 427 and PEP 503: runs of - _ . are one and the same, and no version has a dash.
    plain = re.sub("[-_.]+", "_", distribution)
    for folder in filter(None, sys.path):
        found = [path.name for path in Path(folder).glob(f"{plain}-*.dist-info")]
        if found:
            return found[0][len(plain) + 1 : -len(".dist-info")]
    return _version_of(distribution)


def _version_of(distribution: str) -> str | None:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(distribution)
    except PackageNotFoundError:
        return None
