"""Execution providers of onnxruntime, chosen by the plan of an engine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.runner.model.engine_plan import read_plan
from edgekit.runner.runtimes.onnx_providers import execution_providers, provider_name
from tests.runner.nvidia_programs import PLAN


@pytest.mark.parametrize(
    ("available", "chosen"),
    [
        (["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"], ["Tensorrt", "CUDA", "CPU"]),
        (["AzureExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"], ["CUDA", "CPU"]),
        (["AzureExecutionProvider", "CPUExecutionProvider"], ["CPU"]),
    ],
)
def test_the_first_provider_of_the_plan_that_is_there_comes_first(
    tmp_path: Path, available: list[str], chosen: list[str]
) -> None:
    (tmp_path / "engine.json").write_text(json.dumps(PLAN))
    given = execution_providers(read_plan(tmp_path), available, tmp_path)
    assert [name for name, _ in given] == [f"{name}ExecutionProvider" for name in chosen]
    assert execution_providers(None, available, None) == [("CPUExecutionProvider", {})]


def test_tensorrt_is_told_the_precision_of_the_plan_and_where_its_engines_are(tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text(json.dumps(PLAN))
    (_, options), *_ = execution_providers(read_plan(tmp_path), ["TensorrtExecutionProvider"], tmp_path / "engines")
    assert options == {
        "trt_fp16_enable": "False",
        "trt_int8_enable": "True",
        "trt_sparsity_enable": "True",
        "trt_max_workspace_size": str(1 << 30),
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": str(tmp_path / "engines"),
    }


def test_what_is_said_to_be_used_is_what_the_session_has() -> None:
    assert provider_name(["CUDAExecutionProvider", "CPUExecutionProvider"]) == "cuda"
    assert provider_name(["CPUExecutionProvider"]) == "cpu"
