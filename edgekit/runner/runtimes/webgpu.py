"""Runtime of ONNX models on GPUs: onnxruntime's WebGPU plug-in, `onnxruntime-ep-webgpu`, over Vulkan."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunnerError
from ..machine import vulkan
from ..model.accelerator import Accelerator, AcceleratorFacts
from .onnx_provider import OnnxProvider, Provider

if TYPE_CHECKING:
    from ..model.manifest import RunnerManifest
    from ..model.tensors import Call

PROVIDER = Provider("WebGpuExecutionProvider", "onnxruntime-ep-webgpu", "onnxruntime_ep_webgpu")
SOFTWARE = "ORT_WEBGPU_EP_ALLOW_SOFTWARE_ADAPTER"
"""Variable by which the plug-in lists a device where Vulkan's is software; without it there is none to choose."""
SYSTEM = "system"


class WebGpu(OnnxProvider):
    """onnxruntime on a GPU, with the CPU behind it for what the GPU does not take.

    Options of the request: those of OnnxProvider, and `vulkan`: `system`, or a folder with a loader and a driver.
    """

    def __init__(self) -> None:
        super().__init__(PROVIDER)
        self._device: vulkan.VulkanDevice | None = None

    def load(self, manifest: RunnerManifest, threads: int) -> Call:
        place = manifest.accelerator.option("vulkan", SYSTEM) if manifest.accelerator else SYSTEM
        # The plug-in asks for the loader by its name, and gets the one that is loaded here.
        candidates = vulkan.devices(vulkan.open_loader(None if place == SYSTEM else Path(place)))
        device = self._device = next((each for each in candidates if not each.software), candidates[0])
        if device.software:
            os.environ[SOFTWARE] = "1"
        if manifest.model.stat().st_size > device.memory_bytes:
            raise RunnerError("vram", f"{device.name} has {device.memory_bytes >> 20} MiB, the model is larger")
        return super().load(manifest, threads)

    def _facts(self, session: Any, request: Accelerator) -> AcceleratorFacts:
        device, facts = self._device, super()._facts(session, request)
        assert device is not None
        return facts._replace(
            device=device.name,
            driver=f"{device.driver}; {facts.driver}",
            software=device.software,
            # Kernels compute in the numbers of the file's tensors; edgekit's hold float16 in weights alone.
            precision="float32",
        )
