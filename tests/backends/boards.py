"""A board to lower for, pictures to feed, and a session of onnxruntime to run files of ONNX in."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from edgekit.ir.artifact import Artifact
from edgekit.specs.target import Cpu, Deploy, Memory, RuntimeSpec, Target


def board(runtime: RuntimeSpec, arch: Any = "aarch64") -> Target:
    """A board of no vendor that has this one runtime."""
    return Target(
        schema_version=1,
        id="board",
        title="A board",
        family="boards",
        sources=("none: it exists in these tests",),
        cpu=Cpu(arch=arch, cores=("4x cortex-a76",)),
        memory=Memory(ram_mb=1024),
        runtime=(runtime,),
        deploy=Deploy(transport="ssh", root="/opt/edgekit"),
    )


def onnx_board(
    activations: Any, delegates: tuple[str, ...] = ("cpu",), arch: Any = "aarch64"
) -> tuple[Target, RuntimeSpec]:
    """A board with onnxruntime, where activations are of this type; and that runtime."""
    runtime = RuntimeSpec(backend="onnx", delegates=delegates, activations=activations)
    return board(runtime, arch), runtime


def pictures(count: int, size: int) -> list[tuple[Tensor]]:
    """uint8 [1, size, size, 3] each, the same ones in every run."""
    generator = torch.Generator().manual_seed(7)
    return [(torch.randint(0, 256, (1, size, size, 3), dtype=torch.uint8, generator=generator),) for _ in range(count)]


def onnx_session(artifact: Artifact) -> Any:
    """The artifact in onnxruntime on one thread, with the options that a device would give it."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    for key, value in artifact.options:
        settings.add_session_config_entry(key, value)
    return onnxruntime.InferenceSession(artifact.files[0], settings, providers=["CPUExecutionProvider"])
