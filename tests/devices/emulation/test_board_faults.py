"""What goes wrong on a device itself: each time its own error, and what was served before is served still.

One emulated Raspberry Pi 5 for all of it, with a bundle that it serves from the start.
"""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import pytest

from edgekit.devices.emulation import faults
from edgekit.devices.emulation.registry import CARD
from edgekit.devices.transport import Transport
from edgekit.specs.catalog import Catalog
from tests.command_line import LENIENT, edgekit_here, end, start
from tests.conftest import Built, Command
from tests.devices.test_unreachable import told
from tests.failing_converters import marked, until
from tests.networks import write_project
from tests.pipeline.test_interrupted_build import stopping

LIMIT_S = 180.0
KEYS = ("default", "second", "third")
PACKAGES = "/usr/lib/python3.11/dist-packages"
"""Of the Python that the device has itself, which has no package at all."""
LEFT = "cd /opt/edgekit; ls -d .?*.partial .?*.tar staging/* probe/* runtimes/.?*.* *.partial 2>/dev/null"
"""What is half-written or was forgotten."""
GREEDY = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 32, 1), nn.Linear(32, 4)

    def forward(self, x):
        return self.head(self.conv(nn.functional.interpolate(x, scale_factor=128.0)).mean((2, 3)))


def net():
    torch.manual_seed(0)
    return Net().eval()
"""
"""Takes a few kilobytes on the disk, and 150 MB of memory."""


@dataclass(frozen=True)
class Board:
    """The device, and bundles of one model by several keys, of which it serves the first from the start."""

    device: faults.Device
    options: tuple[object, ...]
    bundles: tuple[Path, ...]

    @property
    def url(self) -> str:
        return f"emulated://{self.device.card.name}"

    def said(self, script: str) -> str:
        """What the device's shell says to a script."""
        with self.device.connected() as transport:
            return transport.run(["sh", "-c", script], timeout=LIMIT_S).stdout

    def served(self) -> str:
        """A digest of what it serves, by whom it is signed."""
        return self.said("cd /opt/edgekit/current && cat manifest.json manifest.sig | sha256sum")

    def files(self) -> str:
        """Everything of ours on it, with sizes and times."""
        return self.said("ls -lAR --full-time /opt/edgekit")


@pytest.fixture(scope="module")
def board(
    emulation: None, small: Path, places: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Board]:
    options = ("--project", small, "--target", "raspberry-pi-5", "--backend", "onnx", *LENIENT)
    out = tmp_path_factory.mktemp("board")
    bundles = []
    for key in KEYS:
        edgekit_here("keys", "new", key, env=places)
        ended = edgekit_here("build", *options, "--key", key, "--out", out / key, env=places)
        assert ended.code == 0, ended.err
        bundles.append(next((out / key).glob("*.edgekit")))
    with pytest.MonkeyPatch.context() as patch:
        for name, folder in places.items():
            patch.setenv(name, folder)
        with faults.fresh(Catalog.default().target("raspberry-pi-5")) as device:
            # As one that is up: this process plugs it out and in, commands find it by its name.
            (device.card.folder / CARD).write_text(json.dumps(asdict(device.card) | {"guard": device.machine.pid}))
            board = Board(device, options, tuple(bundles))
            ended = edgekit_here("flash", bundles[0], "--device", board.url)
            assert ended.code == 0, ended.err
            others = [word for key in KEYS[1:] for word in ("--key", key)]
            ended = edgekit_here("device", "trust", board.url, *others)
            assert ended.code == 0, ended.err
            yield board


@pytest.fixture
def untouched(board: Board) -> Iterator[None]:
    """Not one file of ours on the device is another afterwards."""
    before = board.files()
    yield
    assert board.files() == before


@pytest.fixture
def serving(board: Board) -> Iterator[None]:
    """The device serves afterwards what it served before, and nothing half-written lies about."""
    before = board.served()
    yield
    assert board.served() == before
    assert board.said(LEFT) == ""


def install(transport: Transport, versions: dict[str, str]) -> None:
    """What pip leaves of packages in the device's own Python, but for the packages."""
    transport.run(["sh", "-c", f"rm -rf {PACKAGES}/*.dist-info"], timeout=LIMIT_S)
    for name, version in versions.items():
        folder = f"{PACKAGES}/{name}-{version}.dist-info"
        said = f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {version}\\n"
        transport.run(["sh", "-c", f"mkdir -p {folder} && printf '{said}' >{folder}/METADATA"], timeout=LIMIT_S)


@pytest.fixture
def own_python(board: Board) -> Iterator[Transport]:
    """A way to the device, whose own Python is as it was afterwards."""
    with board.device.connected() as transport:
        yield transport
        install(transport, {})


@pytest.mark.usefixtures("untouched")
def test_the_devices_own_runtime_is_to_be_there_and_of_the_bundles_version(
    command: Command, board: Board, own_python: Transport
) -> None:
    argv = ("flash", board.bundles[1], "--device", board.url, "--runtime", "system")
    message, hint = told(command(*argv), "EK410")
    assert message == f"{board.url}: nothing there runs .onnx"
    assert hint == "on the device: pip install onnxruntime==1.31.1"
    install(own_python, {"numpy": "2.4.6", "onnxruntime": "1.20.0"})
    message, hint = told(command(*argv), "EK411")
    assert message == f"{board.url} has onnxruntime 1.20.0, the bundle was verified with onnxruntime 1.31.1"
    assert hint == "on the device: pip install onnxruntime==1.31.1; or leave it to us: --runtime auto"


@pytest.mark.usefixtures("serving")
def test_a_runtime_that_does_not_import_there_is_said(command: Command, board: Board, own_python: Transport) -> None:
    install(own_python, {"numpy": "2.4.6", "onnxruntime": "1.31.1"})
    argv = ("flash", board.bundles[1], "--device", board.url, "--runtime", "system")
    message, hint = told(command(*argv), "EK304")
    assert message == f"{board.url}: this Python lacks what a runtime needs: No module named 'numpy'"
    assert "--runtime auto" in hint


@pytest.mark.usefixtures("untouched")
def test_a_bundle_for_another_kind_of_machine_is_not_sent(command: Command, board: Board, built: Built) -> None:
    message, hint = told(command("flash", built.bundle, "--device", board.url), "EK304")
    assert message == f"the bundle is for x86_64 ('host'), {board.url} is aarch64"
    assert hint == "build for a target of that kind: edgekit targets"


@pytest.mark.usefixtures("untouched")
def test_without_the_memory_for_the_model_nothing_is_sent(command: Command, board: Board) -> None:
    with board.device.connected() as transport:
        board.device.fill_memory(transport, leave_mb=10)
        try:
            message, hint = told(command("flash", board.bundles[1], "--device", board.url), "EK409")
        finally:
            transport.run(["rm", str(faults.MEMORY)], timeout=LIMIT_S)
    assert "of memory available, the model and its runtime need 50" in message
    assert hint == "end other programs on the device, or build a smaller model"


@pytest.mark.usefixtures("untouched")
def test_without_the_room_for_the_runtime_or_the_model_nothing_is_sent(command: Command, board: Board) -> None:
    argv = ("flash", board.bundles[1], "--device", board.url)
    with board.device.connected() as transport:
        transport.run(["mount", "/dev/vdb", str(transport.root)], timeout=LIMIT_S)
        try:
            packs, _ = told(command(*argv), "EK409")
            board.device.fill_disk(transport, transport.root, leave_kb=2)
            model, hint = told(command(*argv), "EK409")
            left = transport.run(["ls", "-A", str(transport.root)], timeout=LIMIT_S).stdout.split()
        finally:
            transport.run(["umount", str(transport.root)], timeout=LIMIT_S)
    assert "free at '/opt/edgekit', the runtime pack and the bundle need" in packs
    assert "the bundle needs" in model
    assert hint == "make room on the device"
    assert sorted(left) == ["ballast", "lost+found"]


@pytest.mark.usefixtures("serving")
def test_a_model_that_takes_more_memory_than_there_is_fails_its_self_test(
    command: Command, board: Board, tmp_path: Path
) -> None:
    project = write_project(tmp_path / "greedy", model=GREEDY, samples=4)
    options = ("--project", project, "--target", "raspberry-pi-5", "--backend", "onnx", "--profile", "float32")
    made = command("build", *options, *LENIENT, "--out", tmp_path / "out")
    assert made.code == 0, made.err + made.out
    bundle = next((tmp_path / "out").glob("*.edgekit"))
    with board.device.connected() as transport:
        board.device.fill_memory(transport, leave_mb=110)
        try:
            message, hint = told(command("flash", bundle, "--device", board.url), "EK403")
        finally:
            transport.run(["rm", str(faults.MEMORY)], timeout=LIMIT_S)
    assert message == f"{board.url}: the runner was ended by signal 9"
    assert hint == "did it run out of memory? end other programs on the device, or build a smaller model"


def test_of_two_runs_at_once_each_ends_well_or_is_told_that_the_device_is_busy(
    board: Board, places: dict[str, str], tmp_path: Path
) -> None:
    """The other one begins some seconds later: it is a process of its own, and has torch to import."""
    argv = ("run", *board.options, "--device", board.url, "--samples", 4)
    other = start(*argv, "--key", KEYS[1], "--out", tmp_path / KEYS[1], env=places)
    here = edgekit_here(*argv, "--key", KEYS[0], "--out", tmp_path / KEYS[0], env=places)
    for key, ended in zip(KEYS, (here, end(other)), strict=False):
        if ended.code in (0, 1):
            assert (tmp_path / key / "report.json").exists()
        else:
            assert told(ended, "EK405")[1].startswith("wait until ")
            assert not (tmp_path / key).exists()
    assert board.said(LEFT) == ""


MOMENTS = {
    "it tests itself": ("flash", "--deadline", 1.5),
    "it is probed": ("run", "accuracy", 1.5),
}
"""What is typed, the command to the device that it is about to give, and how long after that the power goes."""


def test_a_device_whose_power_is_cut_serves_what_it_served_and_takes_the_next_bundle(
    command: Command, board: Board, small: Path, places: dict[str, str], tmp_path: Path
) -> None:
    first = command("flash", board.bundles[0], "--device", board.url)
    assert first.code == 0, first.err
    before = board.served()
    for moment, (typed, fragment, delay_s) in MOMENTS.items():
        folder = tmp_path / moment
        folder.mkdir()
        env = places | stopping(folder, "subprocess.Popen", fragment, signal.SIGSTOP)
        run = ("run", *board.options, "--key", KEYS[2], "--samples", 8, "--out", folder / "out")
        argv = ("flash", board.bundles[2]) if typed == "flash" else run
        process = start(*argv, "--device", board.url, env=env)
        assert until(partial(any_stopped, str(folder))), moment
        for pid in stopped(str(folder)):
            os.kill(pid, signal.SIGCONT)
        time.sleep(delay_s)
        board.device.cut_power()
        ended = end(process)
        assert "error EK412: " in ended.err or "error EK401: " in ended.err, moment + ended.err
        told(ended, "EK412" if "EK412" in ended.err else "EK401")
        assert not (folder / "out").exists()
        board.device.boot()
        assert board.served() == before
    second = command("flash", board.bundles[1], "--device", board.url)
    assert (second.code, second.err) == (0, "")
    assert board.served() != before
    assert board.said(LEFT) == "", "what a cut left behind goes when another bundle comes"
    probed = command("probe", "--project", small, "--samples", 4, "--device", board.url, "--json")
    assert probed.document["measurement"]["samples"] == 4


def any_stopped(mark: str) -> bool:
    return bool(stopped(mark))


def stopped(mark: str) -> list[int]:
    """The marked processes that stand still: a command that loads a project's code runs in a child of its own."""
    return [pid for pid in marked(mark) if state(pid) == "T"]


def state(pid: int) -> str:
    """As proc(5) has it; empty of a process that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""
