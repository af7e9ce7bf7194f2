"""The runtime of a model format, chosen from what is installed here and imported."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import RunnerError
from ..machine.runtime_versions import DISTRIBUTIONS, NATIVE, TENSORRT, label_of, version_of
from ..model.accelerator import KINDS, LITERT_GPU, QNN_HTP, WEBGPU
from ..model.engine_store import ENGINE
from .base import Runtime

if TYPE_CHECKING:
    from ..model.accelerator import Accelerator


def open_runtime(
    format: str, engine: Path | None = None, accelerator: Accelerator | None = None
) -> tuple[str, Runtime]:
    """Import the runtime of a format, and return its name and version with it; TensorRT's own for an `engine` of it.

    Raises RunnerError: runtime if it is not installed or does not import, accelerator if it knows no such one.
    """
    if accelerator and format == "onnx" and accelerator.kind not in KINDS[format]:
        named = _named_provider(accelerator)
        if named:
            return named
    if accelerator and not (accelerator.kind in KINDS.get(format, ()) and accelerator.kind in ACCELERATED):
        raise RunnerError("accelerator", f"nothing here runs .{format} on '{accelerator.kind}'")
    label = label_of(format) if format in DISTRIBUTIONS else None
    if engine and (engine / ENGINE).is_file() and version_of(TENSORRT):
        label = f"{TENSORRT} {version_of(TENSORRT)}"
    if label is None:
        needed = " or ".join(DISTRIBUTIONS.get(format, ()))
        raise RunnerError("runtime", f"nothing here runs .{format}" + (f": install {needed}" if needed else ""))
    try:
        distribution = label.partition(" ")[0]
        if accelerator:
            return label, ACCELERATED[accelerator.kind](distribution)
        return label, _tensorrt() if distribution == TENSORRT else RUNTIMES[format](distribution)
    except RunnerError:
        raise
    except Exception as error:
        raise RunnerError("runtime", f"'{label}' does not import: {error}") from error


def _executorch(distribution: str) -> Runtime:
    if NATIVE.is_file():
        from .executorch_native import ExecuTorchNative

        return ExecuTorchNative(NATIVE)
    from .executorch import ExecuTorchRuntime

    return ExecuTorchRuntime(distribution)


def _onnx(distribution: str) -> Runtime:
    from .onnx import OnnxRuntime

    return OnnxRuntime(distribution)


def _tflite(distribution: str) -> Runtime:
    from .tflite import TFLiteRuntime

    return TFLiteRuntime(distribution)


def _qnn_htp(distribution: str) -> Runtime:
    from .qnn_htp import QnnHtp

    return QnnHtp(distribution)


def _litert_gpu(distribution: str) -> Runtime:
    from .litert_gpu import LiteRtGpu

    return LiteRtGpu(distribution)


def _webgpu(distribution: str) -> Runtime:
    from .webgpu import WebGpu

    return WebGpu()


def _named_provider(accelerator: Accelerator) -> tuple[str, Runtime] | None:
    """Runtime of the execution provider that a request names, with its build of onnxruntime; None if it names none."""
    from .onnx_provider import OnnxProvider, provider_of

    provider = provider_of(accelerator)
    if provider is None:
        return None
    runtime = OnnxProvider(provider, accelerator.option("packages", ""))
    return runtime.label, runtime


def _tensorrt() -> Runtime:
    from .tensorrt_engine import TensorRT

    return TensorRT()


RUNTIMES: dict[str, Callable[[str], Runtime]] = {"pte": _executorch, "onnx": _onnx, "tflite": _tflite}
ACCELERATED: dict[str, Callable[[str], Runtime]] = {
    LITERT_GPU: _litert_gpu,
    QNN_HTP: _qnn_htp,
    WEBGPU: _webgpu,
}
"""Makers of the runtimes that run a model on an accelerator, by its kind."""
