"""A model that came after the runtime that is to run it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ai_edge_litert import schema_py_generated as schema

from edgekit.runner.errors import RunnerError
from edgekit.runner.model.manifest import read_manifest
from edgekit.runner.runtimes.base import load
from edgekit.runner.runtimes.select_runtime import open_runtime
from tests.runner.slot import model, write_slot

pytestmark = pytest.mark.lowers


def _of_another_age(content: bytes) -> bytes:
    """The same model, its operators in versions that no runtime has yet."""
    import flatbuffers

    unpacked = schema.ModelT.InitFromPackedBuf(content, 0)
    for operator in unpacked.operatorCodes:
        operator.version = 99
    builder = flatbuffers.Builder(len(content))
    builder.Finish(unpacked.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def test_a_model_that_is_newer_than_its_runtime_is_a_matter_of_the_runtime(tmp_path: Path) -> None:
    slot = write_slot(tmp_path / "slot", "tflite", weights=_of_another_age(model("tflite")))
    _, runtime = open_runtime("tflite")
    with pytest.raises(RunnerError, match=r"'model.tflite' needs a newer runtime: .*version '99'") as caught:
        load(runtime, read_manifest(slot), 1)
    assert caught.value.kind == "runtime"
