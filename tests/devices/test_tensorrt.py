"""Flashing a bundle with an engine plan, where a stand-in for trtexec builds and nothing runs what it built."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.devices.flash import commit, flash
from edgekit.devices.local import Local
from tests.devices.conftest import MakeBundle
from tests.devices.slot_contents import content, served
from tests.runner.nvidia_programs import PLAN, builds, gpu_on_path, put_trtexec


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return gpu_on_path(tmp_path / "bin", monkeypatch)


def test_a_flash_builds_the_engine_once_and_says_that_the_cpu_runs_the_model(
    device: Local, make_bundle: MakeBundle, tools: Path
) -> None:
    log, bundle = put_trtexec(tools), make_bundle("new", plan=PLAN)
    installation = flash(bundle, device)
    assert installation.note is not None
    assert installation.note.startswith("it runs on 'cpu', not on 'tensorrt': ")
    commit(installation)
    flash(bundle, device)
    flash(make_bundle("renamed", plan=PLAN), device)
    assert len(builds(log)) == 1
    assert served(device) == content(bundle)


def test_a_device_without_tensorrt_takes_the_bundle_and_says_why_it_is_slow(
    device: Local, make_bundle: MakeBundle, tools: Path
) -> None:
    note = flash(make_bundle("new", plan=PLAN), device).note
    assert note == ("it runs on 'cpu', not on 'tensorrt': there is no TensorRT: neither onnxruntime-gpu nor trtexec")


def test_a_bundle_without_a_plan_has_nothing_to_say_and_asks_for_no_engine(
    device: Local, make_bundle: MakeBundle, tools: Path
) -> None:
    log = put_trtexec(tools)
    assert flash(make_bundle("new"), device).note is None
    assert builds(log) == []
