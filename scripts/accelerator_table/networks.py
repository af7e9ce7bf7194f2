"""Rows of the table of networks: architectures of docs/coverage.md as files for the accelerators that run here."""

from __future__ import annotations

from typing import NamedTuple

from edgekit.runner.model.hexagon_socs import soc_of_model
from edgekit.specs.target import RuntimeSpec, Target
from scripts.accelerator_table.cell import CATALOG

ALIKE_DB = 3.0
"""Most dB that an accelerator's answers may be farther from the float network's than the CPU's are."""
EXACT_DB = 90.0
"""SQNR in dB from which on nothing but the order of float32 sums differs."""


class Variant(NamedTuple):
    """Files of an architecture by one profile, and the accelerator that runs them."""

    kind: str
    target_id: str
    backend: str
    profile: str
    numbers: str
    """Number format of the activations, as the table names it."""

    @property
    def target(self) -> Target:
        return CATALOG.target(self.target_id)

    @property
    def runtime(self) -> RuntimeSpec:
        return self.target.select_runtime(self.backend)

    @property
    def title(self) -> str:
        """Accelerator in words: the chip of an emulated NPU."""
        npu = self.target.npu
        return f"Hexagon {npu.htp}" if npu and self.kind == "qnn-htp" else "LiteRT's GPU"

    @property
    def chip(self) -> tuple[str, ...]:
        """Option of the runner that names the emulated chip; none for a GPU."""
        npu = self.target.npu
        return (f"soc={soc_of_model(npu.soc_model)}",) if npu and self.kind == "qnn-htp" else ()


def _npu(target: str, profile: str = "android-int8", numbers: str = "uint8") -> Variant:
    return Variant("qnn-htp", target, "onnx", profile, numbers)


UINT8, UINT16 = _npu("snapdragon-8-gen-3"), _npu("snapdragon-8-gen-3", "hexagon-int16", "uint16")
GPU = (
    Variant("litert-gpu", "host", "tflite", "float32", "float32"),
    Variant("litert-gpu", "host", "tflite", "host-int8", "int8"),
)
CHIPS = (_npu("rb3-gen-2", "dragonwing-int8"), _npu("snapdragon-8-gen-2"), _npu("snapdragon-8-elite"))
"""NPUs of the other architectures that targets state."""


class Network(NamedTuple):
    """An architecture of the table of coverage, with what it is measured on."""

    name: str
    title: str
    variants: tuple[Variant, ...]
    samples: int = 4
    """Samples that are compared: an emulated NPU takes up to minutes for one."""


NETWORKS = (
    Network("unet-aligned", "U-Net", (UINT8, UINT16, *GPU)),
    Network("keyword-spotter", "keyword spotter", (UINT8, *CHIPS, UINT16, *GPU)),
    Network("super-resolution", "super-resolution", (UINT8, UINT16, *GPU)),
    Network("bert-mini", "BERT-mini", (UINT8, UINT16, *GPU)),
    Network("deit-tiny", "DeiT-tiny", (UINT8, UINT16, *GPU), samples=1),
    Network("ssd", "SSD", (UINT8, UINT16, *GPU)),
    Network("yolo-v8", "YOLO v8", (UINT8, UINT16, *GPU)),
    Network("mobilenet-v3", "MobileNetV3", (UINT8, UINT16, *GPU)),
)
