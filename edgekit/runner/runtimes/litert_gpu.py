"""The runtime of TensorFlow Lite models on a GPU: LiteRT's compiled models and its WebGPU accelerator, over Vulkan."""

from __future__ import annotations

import atexit
from collections import Counter
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunnerError
from ..machine import vulkan
from ..machine.hang_watch import HangWatch
from ..model.accelerator import LITERT_GPU, Accelerator, AcceleratorFacts
from ..model.kernel_store import kernel_folder, seal
from ..model.manifest import check_no_options
from .litert_compiled_model import CPU, GPU, CompiledModel, Options
from .litert_gpu_log import GpuLog, StderrCopy, parse
from .tflite import c_library, tensor_names

if TYPE_CHECKING:
    from ..model.io_signature import IoSignature
    from ..model.manifest import RunnerManifest
    from ..model.tensors import Array, Call
    from .trace import Trace

ACCELERATOR = "libLiteRtWebGpuAccelerator.so"
LOAD_S, RUN_S = 100.0, 30.0
"""Time limits in seconds: of compiling a model's kernels, and of one inference."""
# litert/c/options/litert_gpu_options.h: LiteRtDelegatePrecision.
DEFAULT_PRECISION, FLOAT32 = 0, 2
SYSTEM = "system"


class LiteRtGpu:
    """LiteRT on a GPU, with the CPU behind it for what the GPU refuses, unless the option `cpu` is false.

    Options of the request: `enforce_f32`, true for arithmetic in float32 where float16 is the default; `cpu`;
    `vulkan`, `system` or a folder with a loader and a driver; `library`, a folder with LiteRT's accelerator;
    `time_limit`, seconds for loading and for one inference.
    """

    provider: str | None = None
    accelerator: AcceleratorFacts | None = None

    def __init__(self, distribution: str) -> None:
        library = c_library(distribution)
        if library is None:
            raise RunnerError("library", f"this {distribution} has no C API of LiteRT 2.3, which GPUs are used by")
        self._library, self._distribution = library, distribution
        self._interpreter = import_module("ai_edge_litert.interpreter").Interpreter

    def load(self, manifest: RunnerManifest, threads: int) -> Call:
        check_no_options(manifest)
        request = manifest.accelerator or Accelerator(LITERT_GPU)
        if manifest.lengths or manifest.prefill:
            raise RunnerError("accelerator", "LiteRT's GPU accelerator runs files with one entry point only")
        accelerators = self._accelerators(request)
        device = self._device(request)
        if manifest.model.stat().st_size > device.memory_bytes:
            raise RunnerError("vram", f"{device.name} has {device.memory_bytes >> 20} MiB, the model is larger")
        variant = f"{device.name}, {device.driver}, {_precision(request)}"
        kernels, cached = kernel_folder(manifest.model.parent, variant)
        watch = HangWatch()
        limit_s = float(request.option("time_limit", "0"))
        copy = StderrCopy()
        try:
            with copy.copied(), watch.within(limit_s or LOAD_S, "compiling the model for the GPU"):
                names = tensor_names(self._interpreter, manifest.model)
                options = _options(request, threads, kernels)
                model = CompiledModel(self._library, manifest, _hardware(request), options, names, accelerators)
        except RuntimeError as error:
            counts = _operators(self._interpreter(model_path=str(manifest.model)))
            raise _refusal(parse(copy.text), device.name, str(error), counts) from error
        self.accelerator = self._facts(manifest.model, model, parse(copy.text), device, request, cached)
        run, run_s = model.call, limit_s or RUN_S
        if kernels and not cached:
            # LiteRT writes them in a thread of its own, some time after the first inference.
            atexit.register(seal, kernels)

        def call(inputs: Sequence[Array]) -> list[Array]:
            with watch.within(run_s, "an inference on the GPU"):
                return run(inputs)

        return call

    def trace(self, manifest: RunnerManifest, threads: int, scratch: Path) -> Trace:
        from .trace import Untraced

        note = "LiteRT's GPU accelerator has no profiler: the whole is all there is"
        return Untraced(self.load(manifest, threads), note)

    def edges(self, model: Path) -> IoSignature:
        from ..model.io_signature import of_tflite

        return of_tflite(self._interpreter(model_path=str(model)))

    def _accelerators(self, request: Accelerator) -> Path:
        """Folder of LiteRT's accelerator for GPUs: that of the request, else LiteRT's own."""
        folder = Path(request.option("library", str(self._library.parent)))
        if not (folder / ACCELERATOR).is_file():
            message = f"this {self._distribution} has no '{ACCELERATOR}', LiteRT's accelerator for GPUs"
            raise RunnerError("library", message)
        return folder

    def _device(self, request: Accelerator) -> vulkan.VulkanDevice:
        """Device that LiteRT will choose: the first one that is none in software, else the first."""
        place = request.option("vulkan", SYSTEM)
        candidates = vulkan.devices(vulkan.open_loader(None if place == SYSTEM else Path(place)))
        return next((device for device in candidates if not device.software), candidates[0])

    def _facts(
        self,
        file: Path,
        model: CompiledModel,
        log: GpuLog,
        device: vulkan.VulkanDevice,
        request: Accelerator,
        cached: bool,
    ) -> AcceleratorFacts:
        counts = _operators(self._interpreter(model_path=str(file)))
        total = sum(counts.values())
        on_gpu = total if model.without_cpu else log.taken
        if not on_gpu:
            raise RunnerError("operators", f"{device.name} takes none of the {total} operators{_named(log, counts)}")
        float16 = device.float16 and _precision(request) != FLOAT32
        # A kind has several reasons where several of its operators are refused.
        left = {kind: counts[kind] for kind, _ in log.reasons}
        return AcceleratorFacts(
            kind=LITERT_GPU,
            device=log.adapter or device.name,
            driver=device.driver,
            software=device.software,
            precision="float16" if float16 else "float32",
            operators=total,
            taken=on_gpu,
            left=tuple(left.items()) if on_gpu < total else (),
            cached=cached,
            note="; ".join(f"{kind}: {reason}" for kind, reason in log.reasons),
        )


def _precision(request: Accelerator) -> int:
    return FLOAT32 if request.option("enforce_f32", "false") == "true" else DEFAULT_PRECISION


def _hardware(request: Accelerator) -> int:
    return GPU if request.option("cpu", "true") == "false" else GPU | CPU


def _options(request: Accelerator, threads: int, kernels: Path | None) -> Options:
    precision = _precision(request)
    gpu = [f"precision = {precision}"]
    if kernels:
        gpu += [f'serialization_dir = "{kernels}"', 'model_cache_key = "kernels"']
        gpu += ["serialize_program_cache = true", "cache_only_compiled_programs = true"]
    return {"gpu_options": "\n".join(gpu) + "\n", "xnnpack": f"num_threads = {threads}\n"}


def _operators(interpreter: Any) -> Counter[str]:
    """Count of the operators of the file's first graph, by kind."""
    return Counter(operator["op_name"] for operator in interpreter._get_ops_details())


def _named(log: GpuLog, counts: Counter[str]) -> str:
    """Refused operators, why, and how many of each kind the file has, for an error."""
    named = [f"{kind} ({reason.rstrip('.')}; the file has {counts[kind]})" for kind, reason in log.reasons]
    return f": it refuses {', '.join(named)}" if named else ""


def _refusal(log: GpuLog, device: str, error: str, counts: Counter[str]) -> RunnerError:
    if log.no_adapter:
        return RunnerError("adapter", f"LiteRT takes none of the Vulkan devices here, not '{device}' either")
    if log.no_memory:
        return RunnerError("vram", f"the memory of {device} does not hold the model: {error}")
    if log.reasons:
        return RunnerError("operators", f"{device} does not run the model alone{_named(log, counts)}")
    return RunnerError("load", f"LiteRT cannot compile the model for {device}: {error}")
