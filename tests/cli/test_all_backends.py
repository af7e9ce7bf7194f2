"""`build --backend all`: one table of what each backend makes, and why one makes nothing."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from edgekit.api.build_session import BuildSession, build_requests, refused_backends
from edgekit.api.builds import load_project
from edgekit.bundle.signing import SigningKey
from edgekit.cache import Cache
from edgekit.cli.backend_table import build_each, exit_code, print_backends
from edgekit.errors import LoweringError, Misfit
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.stage_runner import Watch, unwatched
from edgekit.report.report import Report
from edgekit.specs.catalog import builtin_root
from tests.command_line import LENIENT
from tests.conftest import Built, Command
from tests.networks import substitute

INT8 = """
[[runtime]]
backend = "executorch"
delegates = ["xnnpack"]

[[runtime]]
backend = "tflite"
delegates = ["xnnpack"]
"""
FLOAT = """
[[runtime]]
backend = "tflite"
delegates = ["xnnpack"]
precisions = ["float32"]
"""


@pytest.fixture
def bench(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The small project; for this machine onnx makes int8, as for everybody, and tflite float alone."""
    root = tmp_path / "catalog"
    for folder in ("targets", "profiles", "accelerators"):
        shutil.copytree(builtin_root() / folder, root / folder)
    host = root / "targets" / "host.toml"
    host.write_text(substitute(INT8, FLOAT, host.read_text()))
    monkeypatch.setattr("edgekit.specs.catalog.builtin_root", lambda: root)
    return small


def test_a_backend_that_cannot_is_in_the_table_with_its_reason(
    command: Command, built: Built, bench: Path, tmp_path: Path
) -> None:
    assert built.ended.code == 0
    options = ("--project", bench, "--target", "host", "--backend", "all", *LENIENT)
    ended = command("build", *options, "--out", tmp_path / "out")
    assert ended.code == 0, ended.err
    head, onnx, tflite, reason, *_ = ended.out.splitlines()
    assert head.split()[:3] == ["target", "backend", "verdict"]
    assert onnx.split()[:3] == ["host", "onnx", "passed"]
    assert tflite.split()[:3] == ["host", "tflite", "refused"]
    assert reason.startswith("tflite: EK103: ")
    assert f"edgekit report {tmp_path / 'out'}" in ended.out
    planned = command("plan", *options[:6], "--json")
    assert planned.code == 0
    assert "onnx" in json.dumps(planned.document)


def test_a_backend_that_fails_does_not_end_the_others(
    bench: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Failing(BuildSession):
        def build(self, request: BuildRequest, watch: Watch = unwatched) -> Report:
            raise LoweringError("three is not two", hint="count again")

    project = load_project(bench)
    requests = build_requests(project, "host", "all", "host-int8")
    refused = refused_backends(project, "host", "host-int8")
    session = Failing(requests, Cache(tmp_path), SigningKey.generate())
    outcomes = build_each(session, refused, jobs=1)
    print_backends(outcomes)
    shown = capsys.readouterr()
    assert "error EK205: three is not two" in shown.err
    assert [line.split()[1:4] for line in shown.out.splitlines()[1:3]] == [
        ["onnx", "not", "built"],
        ["tflite", "refused", "-"],
    ]
    assert "onnx: EK205: three is not two (count again)" in shown.out
    assert exit_code(outcomes) == LoweringError.exit_code


def test_where_no_backend_fits_the_first_says_why(bench: Path) -> None:
    with pytest.raises(Misfit):
        build_requests(load_project(bench), "host", "all", "jetson-int8")


def test_a_device_takes_one_backend_at_a_time(command: Command, bench: Path) -> None:
    refusal = command("run", "--project", bench, "--target", "host", "--backend", "all").refused("EK104", 2)
    assert "--backend NAME" in refusal
