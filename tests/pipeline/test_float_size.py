"""The float file of a large model is not made: what sizes are compared with is computed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from edgekit.frontend import program_size
from edgekit.frontend.store import save_program
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.float_size import FloatSize, float_size_stage, is_large


@pytest.fixture
def captured(tmp_path: Path) -> Path:
    """A program of 32 × 64 weights and 32 biases."""
    folder = tmp_path / "captured"
    folder.mkdir()
    exported = torch.export.export(torch.nn.Linear(64, 32), (torch.zeros(1, 64),))
    save_program(Program(exported, Signature((), ())), folder)
    return folder


def test_the_size_is_that_of_the_tensors_and_the_report_says_so(tmp_path: Path, captured: Path) -> None:
    stage = float_size_stage(lambda: "a", lambda: captured)
    stage.make(tmp_path, cast(Any, None), captured)
    size = FloatSize.read(tmp_path)
    assert size == FloatSize(4 * (32 * 64 + 32), 4 * 32 * 64, is_computed=True)
    assert size.remarks[0].startswith("The float file was not made")
    assert stage.key != float_size_stage(lambda: "b", lambda: captured).key


def test_only_a_captured_program_from_a_fixed_size_on_is_large(captured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not is_large(captured)
    monkeypatch.setattr(program_size, "LARGE_BYTES", 4 * (32 * 64 + 32))
    assert is_large(captured)
    assert not is_large(None)


def lowerings(compresses: bool, known: bool, entry: Path | None) -> list[str]:
    compilation = cast(Any, object.__new__(Compilation))
    request = SimpleNamespace(profile=SimpleNamespace(compresses=compresses))
    state = {
        "request": request,
        "line": SimpleNamespace(cache=SimpleNamespace(find=lambda key: entry)),
        "network": SimpleNamespace(known=known),
        "capture_original": SimpleNamespace(key="k"),
        "lower_float": "lower float32",
        "compute_float_size": "float size",
        "lower": "lower",
    }
    compilation.__dict__.update(state)
    return list(compilation.lowerings)


def test_a_large_model_is_lowered_once(captured: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lowerings(True, True, captured) == ["lower float32", "lower"]
    monkeypatch.setattr(program_size, "LARGE_BYTES", 1)
    assert lowerings(True, True, captured) == ["float size", "lower"]
    assert lowerings(True, True, None) == ["lower float32", "lower"]  # a plan, before anything is known
    assert lowerings(True, False, captured) == ["lower float32", "lower"]
    assert lowerings(False, True, captured) == ["lower"]
