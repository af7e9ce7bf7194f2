"""Flashing this machine, with the real runner and real runtimes."""

from __future__ import annotations

import platform
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np
import pytest

from edgekit.devices.device import connect
from edgekit.devices.flash import commit, flash, rollback, serving, status
from edgekit.devices.local import Local
from edgekit.devices.transport import Completed, DeviceKind
from edgekit.errors import (
    CommandFailed,
    DeviceError,
    EdgekitError,
    Incompatible,
    RuntimeMissing,
    SelfTestFailed,
)
from tests.devices.conftest import HandMade, MakeBundle, listed, with_more
from tests.devices.slot_contents import content, left_over, served, states
from tests.runner.slot import WEIGHTS


def test_a_bundle_is_a_trial_until_it_is_committed(device: Local, make_bundle: MakeBundle) -> None:
    bundle = make_bundle("first")
    installation = flash(bundle, device)
    assert installation.transport.kind == "local"
    assert not installation.committed
    assert status(device).current is None
    assert states(device) == ["trial", "empty"]
    commit(installation)
    assert served(device) == content(bundle)
    assert states(device) == ["committed", "empty"]
    assert left_over(device) == set()
    assert serving(device).slot == installation.slot


def test_the_second_flash_goes_to_the_other_slot(device: Local, old: HandMade, make_bundle: MakeBundle) -> None:
    new = make_bundle("new")
    installation = flash(new, device)
    assert served(device) == content(old)
    commit(installation)
    assert served(device) == content(new)
    assert installation.slot == device.root / "b"
    rollback(serving(device))
    assert served(device) == content(old)
    verdicts = [event.verdict for event in status(device).history]
    assert verdicts == [*["staged", "trial", "committed"] * 2, "rolled back"]


def test_a_trial_can_be_dropped(device: Local, old: HandMade, make_bundle: MakeBundle) -> None:
    installation = flash(make_bundle("new"), device)
    rollback(installation)
    assert served(device) == content(old)
    assert states(device) == ["committed", "failed"]


class Counting(Local):
    """Remembers what was pushed, and what lay in the archives among it."""

    pushed: ClassVar[list[str]] = []
    archived: ClassVar[list[str]] = []

    def push(self, local: Path, remote: PurePosixPath) -> None:
        self.pushed.append(remote.name)
        if tarfile.is_tarfile(local):
            with tarfile.open(local) as archive:
                self.archived.extend(archive.getnames())
        super().push(local, remote)


@pytest.fixture
def counting(device: Local, monkeypatch: pytest.MonkeyPatch) -> Counting:
    """The device, by a way that remembers."""
    monkeypatch.setattr(Counting, "pushed", [])
    monkeypatch.setattr(Counting, "archived", [])
    return Counting(device.url)


@pytest.mark.parametrize("committed", [True, False])
def test_a_digest_that_is_there_is_not_sent_again(counting: Counting, make_bundle: MakeBundle, committed: bool) -> None:
    bundle = make_bundle("first")
    first = flash(bundle, counting)
    if committed:
        commit(first)
    assert {"model.onnx", "golden/inputs/image.npy"} <= set(Counting.archived)
    Counting.pushed.clear()
    second = flash(bundle, counting)
    assert Counting.pushed == []
    assert second.slot == first.slot
    assert second.committed == committed


def test_only_what_is_not_there_yet_is_sent(counting: Counting, old: HandMade, make_bundle: MakeBundle) -> None:
    new = make_bundle("new")
    commit(flash(new, counting))
    assert Counting.archived == []
    assert served(counting) == content(new)
    more = with_more(make_bundle("more"))
    commit(flash(more, counting))
    assert Counting.archived == ["more"]
    assert served(counting) == content(more)
    assert (Path(counting.root) / "current" / "more").read_bytes() == more.read("more")


class Trips(Local):
    """Counts how often the device is spoken to."""

    made: ClassVar[list[str]] = []

    def push(self, local: Path, remote: PurePosixPath) -> None:
        self.made.append(remote.name)
        super().push(local, remote)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        self.made.append(argv[0])
        return super().run(argv, timeout=timeout)

    def free_bytes(self, folder: PurePosixPath) -> int | None:
        self.made.append("free_bytes")
        return super().free_bytes(folder)


def test_a_flash_costs_few_trips_and_one_of_what_is_served_fewer(
    device: Local, old: HandMade, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = with_more(make_bundle("new"))
    monkeypatch.setattr(Trips, "made", [])
    flash(new, Trips(device.url), serve=True)
    # What is there, Python, runner; the archive; all that is left to do.
    assert Trips.made[-2:] == [f"{new.digest}.tar", sys.executable]
    assert len(Trips.made) == 4
    assert served(device) == content(new)
    Trips.made.clear()
    flash(new, Trips(device.url), serve=True)
    assert len(Trips.made) == 3


def test_a_manifest_too_long_for_a_command_line_is_pushed(device: Local, make_bundle: MakeBundle) -> None:
    bundle = make_bundle("long", remark="x" * 200_000)
    commit(flash(bundle, device))
    assert served(device) == content(bundle)


def _wrong_weights(folder: Path) -> None:
    path = folder / "model.onnx"
    damaged = path.read_bytes().replace(WEIGHTS.tobytes(), (-WEIGHTS).tobytes())
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)


def _no_model(folder: Path) -> None:
    (folder / "model.onnx").write_bytes(b"no model at all")


def _wrong_golden(folder: Path) -> None:
    path = folder / "golden" / "outputs" / "scores.npy"
    np.save(path, np.load(path) + 40)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_wrong_weights, r"output 'scores' differs by .*, .* is allowed"),
        (_no_model, "'model.onnx' cannot be loaded"),
        (_wrong_golden, "output 'scores' differs by 40, .* is allowed"),
    ],
)
def test_a_model_that_fails_its_self_test_is_dropped(
    device: Local, old: HandMade, make_bundle: MakeBundle, damage: object, said: str
) -> None:
    assert callable(damage)
    new = make_bundle("new")
    damage(new.folder)
    with pytest.raises(SelfTestFailed, match=said):
        flash(listed(new), device)
    assert served(device) == content(old)
    assert states(device) == ["committed", "failed"]


def test_a_file_damaged_on_its_way_never_reaches_a_slot(device: Local, old: HandMade, make_bundle: MakeBundle) -> None:
    new = make_bundle("new")
    (new.folder / "model.onnx").write_bytes(b"something new")
    new = listed(new)
    (new.folder / "model.onnx").write_bytes(b"something odd")
    with pytest.raises(CommandFailed, match=r"'model.onnx' in .* is damaged"):
        flash(new, device)
    assert states(device) == ["committed", "empty"]
    assert left_over(device) == set()


class Board(Local):
    """This machine as if it were no stand-in."""

    kind: ClassVar[DeviceKind] = "device"


def test_a_bundle_for_another_kind_of_machine_is_refused(tmp_path: Path, make_bundle: MakeBundle) -> None:
    board = Board(f"local://{tmp_path / 'device'}")
    with pytest.raises(Incompatible, match="the bundle is for riscv64"):
        flash(make_bundle("other", arch="riscv64"), board)
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine(), platform.machine())
    assert flash(make_bundle("same", arch=machine), board, "system").transport.kind == "device"


class Bare(Local):
    """A device with a Python and no packages."""

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        return super().run([argv[0], "-S", *argv[1:]] if argv[0] == self.python else argv, timeout=timeout)


def test_a_device_without_the_runtime_is_told_what_to_install(tmp_path: Path, make_bundle: MakeBundle) -> None:
    with pytest.raises(RuntimeMissing, match=r"nothing there runs \.tflite") as caught:
        flash(make_bundle("one", "tflite"), Bare(f"local://{tmp_path / 'device'}"))
    assert caught.value.hint == "on the device: pip install ai-edge-litert"


def test_a_device_without_python_has_no_runtime(tmp_path: Path, make_bundle: MakeBundle) -> None:
    class Dumb(Local):
        python = "/no/such/python"

    dumb = Dumb(f"local://{tmp_path / 'device'}")
    with pytest.raises(RuntimeMissing, match="has no '/no/such/python'"):
        flash(make_bundle("one"), dumb)
    with pytest.raises(DeviceError, match="nothing is installed"):
        status(dumb)


def test_a_device_with_nothing_on_it_serves_nothing(device: Local) -> None:
    with pytest.raises(DeviceError, match="nothing is installed") as caught:
        serving(device)
    assert isinstance(caught.value, EdgekitError)


def test_a_device_is_found_by_its_url(tmp_path: Path, make_bundle: MakeBundle) -> None:
    with connect(f"local://{tmp_path / 'elsewhere'}") as device:
        flash(make_bundle("one"), device)
    assert (tmp_path / "elsewhere" / "a" / "model.onnx").is_file()
