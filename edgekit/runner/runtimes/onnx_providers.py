"""Execution providers of an onnxruntime session: those to pass, and the one that is used.

Options: https://onnxruntime.ai/docs/execution-providers/TensorRT-ExecutionProvider.html#configurations
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..model.engine_plan import EnginePlan

PROVIDERS = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""onnxruntime's names, by those of targets."""
ProviderOptions = tuple[str, dict[str, str]]


def execution_providers(
    plan: EnginePlan | None, available: Sequence[str], engine: Path | None
) -> list[ProviderOptions]:
    """Providers of the plan that are `available`, in its order, with their options; the CPU's is always the last.

    TensorRT's keeps its engines in the folder `engine`, if there is one.
    """
    accelerators = [
        name for name in (plan.providers if plan else ()) if PROVIDERS.get(name) in available and name != "cpu"
    ]
    return [*((PROVIDERS[name], _options(name, plan, engine)) for name in accelerators), (PROVIDERS["cpu"], {})]


def provider_name(providers: Sequence[str]) -> str:
    """Name in targets of the first provider of a session: one whose library does not load is not among them."""
    names = {theirs: ours for ours, theirs in PROVIDERS.items()}
    return names.get(providers[0], providers[0])


def _options(name: str, plan: EnginePlan | None, engine: Path | None) -> dict[str, str]:
    if name != "tensorrt" or plan is None:
        return {}
    cache = {"trt_engine_cache_enable": "True", "trt_engine_cache_path": str(engine)} if engine else {}
    return {
        "trt_fp16_enable": str(plan.fp16),
        "trt_int8_enable": str(plan.int8),
        "trt_sparsity_enable": str(plan.sparsity),
        "trt_max_workspace_size": str(plan.workspace_mb << 20),
        **cache,
    }
