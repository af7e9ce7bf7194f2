"""What a build shares: stages between backends and profiles, and one converter's process between its own stages."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from edgekit.cache import Cache
from edgekit.pipeline.build import evaluation, reference_stage
from edgekit.pipeline.request import resolve_requests
from edgekit.pipeline.stages import compile as compiling
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.precision_repair import repair_program, repair_stage
from edgekit.pipeline.stages.quantization_jobs import REQUEST, quantize_program, stated
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.specs.project import Project
from tests.networks import write_project

Call = tuple[Callable[..., None], Mapping[str, Any]]


class RecordingConverter:
    """Stand-in of a converter's process that notes what it is called with, and writes one file."""

    def __init__(self, calls: list[Call]) -> None:
        self.calls = calls

    def __enter__(self) -> RecordingConverter:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave the calls to the test."""

    def call(
        self, function: Callable[..., None], arguments: Mapping[str, Any], out: Path, imports: tuple[str, ...] = ()
    ) -> None:
        self.calls.append((function, json.loads(json.dumps(arguments))))
        (out / "result").write_text("made")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.read(write_project(tmp_path / "net", samples=16))


def compilation(project: Project, backend: str, profile: str | None, cache: Path) -> Compilation:
    (request,) = resolve_requests(project, "raspberry-pi", backend, profile)
    return Compilation(request, StageRunner(Cache(cache)))


def test_another_backend_or_profile_takes_capture_data_and_reference_from_the_cache(
    project: Project, tmp_path: Path
) -> None:
    first = compilation(project, "onnx", None, tmp_path / "cache")
    reference_stage(first, evaluation(first.request, first.line, 8)).run(first.line)
    shared = (first.captured, first.calibration.folder, first.golden.folder)
    for backend, profile in (("tflite", None), ("executorch", "int8-plain"), ("onnx", "float32")):
        other = compilation(project, backend, profile, tmp_path / "cache")
        reference_stage(other, evaluation(other.request, other.line, 8)).run(other.line)
        data = other.golden if profile == "float32" else other.calibration
        assert (other.captured, data.folder, other.golden.folder) == (shared[0], data.folder, shared[2])
        assert profile == "float32" or data.folder == shared[1]
        assert all(record.cached for record in other.line.records), other.line.records
        assert other.lower.key != first.lower.key


def test_repair_and_quantization_run_in_one_converter_process(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Call] = []
    starts: list[str] = []

    def start(backend: str) -> RecordingConverter:
        starts.append(backend)
        return RecordingConverter(calls)

    monkeypatch.setattr(compiling, "Lowering", start)
    build = compilation(project, "onnx", None, tmp_path / "cache")
    repair = repair_stage(build)
    assert repair
    assert build.quantize
    with build.worker():
        repair.run(build.line)
        build.quantize.run(build.line)
        assert [function for function, _ in calls] == [repair_program, quantize_program]
    assert starts == ["onnx"]
    (_, repairs), (_, quantizes) = calls
    assert REQUEST.validate_python(repairs["request"]) == build.request
    assert stated(build.request) == repairs["request"]
    assert quantizes["calibration"] == str(build.calibration.folder)
    assert quantizes["program"] == repairs["program"] == str(build.captured)
