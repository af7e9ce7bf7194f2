"""Engine plan of a bundle for TensorRT: the options with which the device builds its engine, and the fallbacks.

An engine is tied to the GPU and the TensorRT version that built it [1], so the bundle carries the plan in its place.

[1] TensorRT, "Engine Compatibility":
    https://docs.nvidia.com/deeplearning/tensorrt/latest/inference-library/engine-compatibility.html
[2] TensorRT, "Migrating trtexec Usage from TensorRT 8.x to 10.x":
    https://docs.nvidia.com/deeplearning/tensorrt/10.16.1/api/tensorrt-8x-to-10x-trtexec.html
[3] TensorRT, "Migrating trtexec Usage from TensorRT 10.x to 11.x":
    https://docs.nvidia.com/deeplearning/tensorrt/11.0.0/api/migration/tensorrt-10x-to-11x-trtexec.html
[4] onnxruntime, "TensorRT Execution Provider":
    https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edgekit.backends.onnx.tensorrt import NAME

if TYPE_CHECKING:
    from edgekit.ir.artifact import Artifact
    from edgekit.ir.signature import TensorSpec
    from edgekit.specs.target import Precision, RuntimeSpec, Target

# 8.5 brought the tensors by name that the runner feeds, JetPack 5.1 has it; 11 takes none of the precision flags [3],
# and no JetPack has it.
VERSIONS = {"least": "8.5", "below": "11"}
WORKSPACE_MB = 1024
"""Largest workspace, in MB: onnxruntime's own default for TensorRT [4]."""


def engine_plan(artifact: Artifact, precision: Precision, target: Target, runtime: RuntimeSpec) -> bytes | None:
    """Content of `engine.json` of a bundle, JSON in UTF-8; None unless TensorRT is the target's first choice."""
    if runtime.delegates[:1] != (NAME,) or artifact.format != "onnx":
        return None
    fp16, int8 = precision == "float16", precision == "static-int8"
    sparsity = target.gpu is not None and "2:4" in target.gpu.sparsity
    workspace_mb = min(WORKSPACE_MB, target.memory.ram_mb // 4)
    plan = {
        "schema": 1,
        "providers": list(runtime.delegates),
        "fp16": fp16,
        "int8": int8,
        "sparsity": sparsity,
        "workspace_mb": workspace_mb,
        "inputs": [_range(spec) for spec in artifact.signature.inputs],
        "tensorrt": VERSIONS,
        "trtexec": _line(workspace_mb, fp16=fp16, int8=int8, sparsity=sparsity),
    }
    return json.dumps(plan, sort_keys=True, indent=1).encode() + b"\n"


def _range(spec: TensorSpec) -> dict[str, Any]:
    """Shapes that the engine takes. Exported shapes are fixed, so the range is one shape."""
    shape = list(spec.shape)
    return {"name": spec.name, "dtype": spec.dtype, "least": shape, "best": shape, "most": shape}


def _line(workspace_mb: int, fp16: bool, int8: bool, sparsity: bool) -> list[str]:
    """Arguments of `trtexec`; the runner replaces `{model}` and `{engine}` by paths."""
    return [
        "--onnx={model}",
        "--saveEngine={engine}",
        # In MiB. `--workspace` is gone in TensorRT 10 [2].
        f"--memPoolSize=workspace:{workspace_mb}",
        # Precisions not allowed here stay as in the file: float32 beside int8, as it was compared on the host.
        *(["--fp16"] if fp16 else []),
        *(["--int8"] if int8 else []),
        # Uses 2:4 kernels where the weights have the pattern, and changes no weight.
        *(["--sparsity=enable"] if sparsity else []),
        # One inference, as a proof: what builds only is called `--buildOnly` by 8.5, and otherwise by 10.
        "--warmUp=0",
        "--duration=0",
        "--iterations=1",
    ]
