"""The engine plan of a bundle for a Jetson."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.backends.onnx.engine_plan import engine_plan
from edgekit.ir.artifact import Artifact, Placement
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.runner.layout import PLAN
from edgekit.runner.model.engine_plan import read_plan
from edgekit.specs.catalog import Catalog
from edgekit.specs.target import Precision

ARTIFACT = Artifact(
    (Path("model.onnx"),), "onnx", Signature((TensorSpec("image", "float32", (1, 3, 32, 32)),), ()), Placement(()), 1.0
)
GOLDEN = {
    "schema": 1,
    "providers": ["tensorrt", "cuda", "cpu"],
    "fp16": False,
    "int8": True,
    "sparsity": True,
    "workspace_mb": 1024,
    "inputs": [
        {
            "name": "image",
            "dtype": "float32",
            "least": [1, 3, 32, 32],
            "best": [1, 3, 32, 32],
            "most": [1, 3, 32, 32],
        }
    ],
    "tensorrt": {"least": "8.5", "below": "11"},
    "trtexec": [
        "--onnx={model}",
        "--saveEngine={engine}",
        "--memPoolSize=workspace:1024",
        "--int8",
        "--sparsity=enable",
        "--warmUp=0",
        "--duration=0",
        "--iterations=1",
    ],
}


def plan_for(name: str, precision: Precision, backend: str = "onnx") -> bytes | None:
    target = Catalog.default().target(name)
    runtime = next(runtime for runtime in target.runtime if runtime.backend == backend)
    return engine_plan(ARTIFACT, precision, target, runtime)


def test_the_plan_of_an_int8_model_for_the_orin_nano() -> None:
    written = plan_for("jetson-orin-nano", "static-int8")
    assert written is not None
    assert json.loads(written) == GOLDEN


@pytest.mark.parametrize(
    ("precision", "flags"), [("float32", set()), ("float16", {"--fp16"}), ("static-int8", {"--int8"})]
)
def test_tensorrt_may_use_the_precision_of_the_file_and_no_other(precision: Precision, flags: set[str]) -> None:
    written = plan_for("jetson-agx-orin", precision)
    assert written is not None
    assert {"--fp16", "--int8"} & set(json.loads(written)["trtexec"]) == flags


@pytest.mark.parametrize("precision", ["float32", "float16", "static-int8"])
def test_the_runner_takes_every_plan_that_is_written(tmp_path: Path, precision: Precision) -> None:
    (tmp_path / PLAN).write_bytes(plan_for("jetson-orin-nano", precision) or b"")
    plan = read_plan(tmp_path)
    assert plan is not None
    assert [plan.takes(version) for version in ((8, 4, 1), (8, 5, 2), (8, 6, 1), (10, 3, 0), (11, 0, 0))] == [
        False,
        True,
        True,
        True,
        False,
    ]


def test_a_target_without_tensorrt_and_a_file_of_another_format_have_no_plan() -> None:
    assert plan_for("raspberry-pi-5", "float32") is None
    target = Catalog.default().target("jetson-orin-nano")
    runtime = next(runtime for runtime in target.runtime if runtime.backend == "onnx")
    assert engine_plan(replace(ARTIFACT, format="pte"), "float32", target, runtime) is None
