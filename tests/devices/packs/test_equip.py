"""What runs models on a device: a pack, or what it has."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, ClassVar

import pytest

from edgekit.devices.local import Local
from edgekit.devices.packs.equip import any_python, equip
from edgekit.devices.transport import Completed, DeviceKind
from edgekit.errors import OptionError, RuntimeMismatch, RuntimeMissing, UnknownName

VERSIONS = {name: version(name) for name in ("executorch", "onnxruntime", "ai-edge-litert")}


class Board(Local):
    """A device whose own Python is ours, or says it is another."""

    kind: ClassVar[DeviceKind] = "device"
    says: ClassVar[Any] = None

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if self.says is not None and argv[0] == self.python:
            return Completed(tuple(argv), json.dumps(self.says) + "\n", "", 0)
        return super().run(argv, timeout=timeout)


@pytest.fixture
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    return Board(f"local://{tmp_path_factory.mktemp('board')}")


@pytest.mark.parametrize("format", ["pte", "onnx", "tflite"])
def test_the_system_will_do_where_it_has_what_the_bundle_was_verified_with(board: Board, format: str) -> None:
    assert equip(board, format, VERSIONS, "system") == (sys.executable,)


def test_this_machine_runs_what_is_installed_whatever_the_version(tmp_path_factory: pytest.TempPathFactory) -> None:
    here = Local(f"local://{tmp_path_factory.mktemp('here')}")
    assert equip(here, "onnx", {"onnxruntime": "0.1"}) == (sys.executable,)
    with pytest.raises(OptionError, match="is this machine"):
        equip(here, "tflite", VERSIONS, "tflite-runtime")


def test_another_version_is_a_mismatch_with_what_to_install(board: Board) -> None:
    with pytest.raises(
        RuntimeMismatch, match=r"has onnxruntime .*, the bundle was verified with onnxruntime 0\.1"
    ) as at:
        equip(board, "onnx", {"onnxruntime": "0.1"}, "system")
    assert at.value.hint == "on the device: pip install onnxruntime==0.1; or leave it to us: --runtime auto"


@pytest.mark.parametrize(
    ("says", "error", "said"),
    [
        ([[3, 11], {"numpy": "1.26.4", "tflite_runtime": "2.14.0"}], RuntimeMismatch, "has tflite-runtime 2.14.0"),
        ([[3, 11], {"ai-edge-litert": "2.3.0"}], RuntimeMissing, r"nothing there runs \.tflite"),
        ([[3, 11], {}], RuntimeMissing, r"nothing there runs \.tflite"),
        ([[3, 7], {"numpy": "1", "ai-edge-litert": "2"}], RuntimeMissing, r"has Python 3\.7, the runner needs 3\.9"),
        ("", RuntimeMissing, "has no '.*' that works"),
    ],
)
def test_a_system_that_will_not_do_is_told_why(
    board: Board, monkeypatch: pytest.MonkeyPatch, says: Any, error: type[Exception], said: str
) -> None:
    monkeypatch.setattr(Board, "says", says)
    with pytest.raises(error, match=said):
        equip(board, "tflite", VERSIONS, "system")


def test_what_a_builder_added_to_a_version_does_not_count(board: Board, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Board, "says", [[3, 9], {"numpy": "1", "onnxruntime": "1.31.1+aarch64"}])
    assert equip(board, "onnx", {"onnxruntime": "1.31.1"}, "system") == (sys.executable,)


def test_a_runtime_that_is_none_is_refused_before_anything_is_built(board: Board) -> None:
    with pytest.raises(UnknownName):
        equip(board, "tflite", VERSIONS, "tflite-runtme")


class Dumb(Board):
    python: ClassVar[str] = "/no/such/python"


def test_a_device_with_no_python_has_none_of_any_kind(board: Board) -> None:
    assert any_python(Dumb(board.url)) is None
    assert any_python(board) == (sys.executable,)
    with pytest.raises(RuntimeMissing, match="has no '/no/such/python'"):
        equip(Dumb(board.url), "onnx", VERSIONS, "system")


@pytest.mark.parametrize(
    ("packages", "own"),
    [
        ({"numpy": "1.26.4", "onnxruntime-gpu": "1.20.0"}, True),
        ({"numpy": "1.26.4", "tensorrt": "10.3.0"}, True),
        ({"onnxruntime-gpu": "1.20.0"}, False),
        ({"numpy": "1.26.4"}, False),
    ],
    ids=["onnxruntime-gpu", "tensorrt", "no numpy", "neither"],
)
def test_an_engine_plan_is_for_nvidias_runtime_where_the_device_has_it(
    board: Board, monkeypatch: pytest.MonkeyPatch, packages: dict[str, str], own: bool
) -> None:
    monkeypatch.setattr(Board, "says", [[3, 10], packages])
    assert _is_own(board, accelerated=True) == own
    assert not _is_own(board, accelerated=False)


def _is_own(board: Board, accelerated: bool) -> bool:
    """Whether the device's own Python is taken, of whatever version; with `system` there is no pack to take."""
    try:
        return equip(board, "onnx", VERSIONS, "system", accelerated=accelerated) == (sys.executable,)
    except (RuntimeMissing, RuntimeMismatch):
        return False
