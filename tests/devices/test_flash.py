"""Flashing this machine, with the real runner and real runtimes."""

from __future__ import annotations

import fcntl
import platform
import threading
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np
import pytest

from edgekit.devices.device import connect
from edgekit.devices.flash import Installation, commit, flash, rollback, serving, status
from edgekit.devices.local import Local
from edgekit.devices.transport import Completed
from edgekit.errors import (
    CommandFailed,
    DeviceBusy,
    DeviceError,
    EdgekitError,
    Incompatible,
    SelfTestFailed,
    StorageError,
)
from tests.devices.conftest import HandMade, MakeBundle
from tests.devices.test_local import largest_file
from tests.runner.slot import WEIGHTS, list_files


def _served(device: Local) -> bytes:
    return (Path(device.root) / "current" / "manifest.json").read_bytes()


def _content(bundle: HandMade) -> bytes:
    return (bundle.folder / "manifest.json").read_bytes()


def _states(device: Local) -> list[str]:
    found = status(device).slots
    return [found["a"].state, found["b"].state]


def _left(device: Local) -> set[str]:
    """Files in the root that belong to no slot and are no record of them."""
    root = Path(device.root)
    files = {path.relative_to(root) for path in root.rglob("*") if path.is_file()}
    return {str(path) for path in files if path.parts[0] not in {"a", "b", "current", "state.json", "lock", "runner"}}


@pytest.fixture
def old(device: Local, make_bundle: MakeBundle) -> HandMade:
    """What the device serves before the test begins."""
    bundle = make_bundle("old")
    commit(flash(bundle, device))
    return bundle


def test_a_bundle_is_a_trial_until_it_is_committed(device: Local, make_bundle: MakeBundle) -> None:
    bundle = make_bundle("first")
    installation = flash(bundle, device)
    assert installation.host_stand_in
    assert not installation.committed
    assert status(device).current is None
    assert _states(device) == ["trial", "empty"]
    commit(installation)
    assert _served(device) == _content(bundle)
    assert _states(device) == ["committed", "empty"]
    assert _left(device) == set()
    assert serving(device).slot == installation.slot


def test_the_second_flash_goes_to_the_other_slot(device: Local, old: HandMade, make_bundle: MakeBundle) -> None:
    new = make_bundle("new")
    installation = flash(new, device)
    assert _served(device) == _content(old)
    commit(installation)
    assert _served(device) == _content(new)
    assert installation.slot == device.root / "b"
    rollback(serving(device))
    assert _served(device) == _content(old)
    verdicts = [event.verdict for event in status(device).history]
    assert verdicts == ["trial", "committed", "trial", "committed", "rolled back"]


def test_a_trial_can_be_dropped(device: Local, old: HandMade, make_bundle: MakeBundle) -> None:
    installation = flash(make_bundle("new"), device)
    rollback(installation)
    assert _served(device) == _content(old)
    assert _states(device) == ["committed", "failed"]


class Counting(Local):
    """Remembers what was pushed."""

    pushed: ClassVar[list[str]] = []

    def push(self, local: Path, remote: PurePosixPath) -> None:
        self.pushed.append(remote.name)
        super().push(local, remote)


@pytest.mark.parametrize("committed", [True, False])
def test_a_digest_that_is_there_is_not_sent_again(
    device: Local, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch, committed: bool
) -> None:
    bundle = make_bundle("first")
    first = flash(bundle, device)
    if committed:
        commit(first)
    monkeypatch.setattr(Counting, "pushed", [])
    second = flash(bundle, Counting(device.url))
    assert Counting.pushed == []
    assert second.slot == first.slot
    assert second.committed == committed


def test_the_runner_is_sent_once(
    device: Local, old: HandMade, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Counting, "pushed", [])
    flash(make_bundle("new"), Counting(device.url))
    assert "model.onnx" in Counting.pushed
    assert not [name for name in Counting.pushed if name.endswith(".pyz")]


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
    list_files(new.folder, _manifest(new))
    with pytest.raises(SelfTestFailed, match=said):
        flash(new, device)
    assert _served(device) == _content(old)
    assert _states(device) == ["committed", "failed"]


def _manifest(bundle: HandMade) -> dict[str, object]:
    import json

    found: dict[str, object] = json.loads(_content(bundle))
    return found


def test_a_file_damaged_on_its_way_never_reaches_a_slot(device: Local, old: HandMade, make_bundle: MakeBundle) -> None:
    new = make_bundle("new")
    (new.folder / "model.onnx").write_bytes(b"something else")
    with pytest.raises(CommandFailed, match=r"'model.onnx' in .* is damaged"):
        flash(new, device)
    assert _states(device) == ["committed", "empty"]
    assert _left(device) == set()


class Board(Local):
    """This machine as if it were no stand-in."""

    stands_in: ClassVar[bool] = False


def test_a_bundle_for_another_kind_of_machine_is_refused(tmp_path: Path, make_bundle: MakeBundle) -> None:
    board = Board(f"local://{tmp_path / 'device'}")
    with pytest.raises(Incompatible, match="the bundle is for riscv64"):
        flash(make_bundle("other", arch="riscv64"), board)
    machine = {"arm64": "aarch64", "amd64": "x86_64"}.get(platform.machine(), platform.machine())
    assert not flash(make_bundle("same", arch=machine), board).host_stand_in


class Bare(Local):
    """A device with a Python and no packages."""

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        return super().run([argv[0], "-S", *argv[1:]] if argv[0] == self.python else argv, timeout=timeout)


def test_a_device_without_the_runtime_is_told_what_to_install(tmp_path: Path, make_bundle: MakeBundle) -> None:
    with pytest.raises(Incompatible, match=r"nothing there runs \.tflite") as caught:
        flash(make_bundle("one", "tflite"), Bare(f"local://{tmp_path / 'device'}"))
    assert caught.value.hint == "on the device: pip install ai-edge-litert"


def test_a_device_without_python_is_an_error(tmp_path: Path, make_bundle: MakeBundle) -> None:
    class Dumb(Local):
        python = "/no/such/python"

    with pytest.raises(CommandFailed, match="could not be started"):
        flash(make_bundle("one"), Dumb(f"local://{tmp_path / 'device'}"))


def test_a_lock_that_a_living_process_holds_is_respected(device: Local, old: HandMade, make_bundle: MakeBundle) -> None:
    with (Path(device.root) / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DeviceBusy, match="another edgekit is at work"):
            flash(make_bundle("new"), device)
    assert _served(device) == _content(old)
    flash(make_bundle("newer"), device)


def test_of_two_at_once_one_wins_and_the_other_is_told(device: Local, make_bundle: MakeBundle) -> None:
    bundles = [make_bundle("one"), make_bundle("two")]
    outcomes: list[str] = []

    def deploy(bundle: HandMade) -> None:
        try:
            commit(flash(bundle, device))
            outcomes.append("committed")
        except (DeviceBusy, CommandFailed) as error:
            outcomes.append(type(error).__name__)

    threads = [threading.Thread(target=deploy, args=(bundle,)) for bundle in bundles]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 2
    found = status(device)
    served = [slot.digest for name, slot in found.slots.items() if name == found.current]
    assert len(served) == min(1, outcomes.count("committed"))
    assert all(slot.whole for slot in found.slots.values() if slot.state == "committed")


def test_a_commit_after_somebody_elses_flash_is_refused(device: Local, make_bundle: MakeBundle) -> None:
    mine = flash(make_bundle("mine"), device)
    flash(make_bundle("theirs"), device)
    with pytest.raises(DeviceBusy, match="holds another bundle"):
        commit(mine)
    assert status(device).current is None


class Full(Local):
    """A device whose disk takes no large file."""

    def push(self, local: Path, remote: PurePosixPath) -> None:
        with largest_file(1024):
            super().push(local, remote)


def test_a_full_disk_leaves_the_old_one_serving(device: Local, old: HandMade, make_bundle: MakeBundle) -> None:
    with pytest.raises(StorageError, match="is full"):
        flash(make_bundle("new"), Full(device.url))
    assert _served(device) == _content(old)
    assert _states(device) == ["committed", "empty"]
    assert _left(device) == set()


class Interrupted(Local):
    """Ctrl-C before the n-th thing that is done on the device, and at every one after that."""

    left: ClassVar[int] = 0

    def _count(self) -> None:
        Interrupted.left -= 1
        if Interrupted.left < 0:
            raise KeyboardInterrupt

    def push(self, local: Path, remote: PurePosixPath) -> None:
        self._count()
        super().push(local, remote)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        self._count()
        return super().run(argv, timeout=timeout)


def test_a_host_that_dies_at_any_step_leaves_the_old_one_serving(
    device: Local, old: HandMade, make_bundle: MakeBundle
) -> None:
    new = make_bundle("new")
    steps = 0
    installation: Installation | None = None
    while installation is None:
        Interrupted.left = steps
        try:
            installation = flash(new, Interrupted(device.url))
        except KeyboardInterrupt:
            steps += 1
        assert _served(device) == _content(old)
        assert serving(device).digest == old.digest
    assert steps > 8
    commit(flash(new, device))
    assert _served(device) == _content(new)
    assert _left(device) == set()


class Killed(Local):
    """The runner dies at every self-test, as when the device is out of memory."""

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if "selftest" in argv:
            argv = [self.python, "-c", "import os; os.kill(os.getpid(), 9)"]
        return super().run(argv, timeout=timeout)


def test_a_runner_that_is_killed_fails_the_self_test(device: Local, old: HandMade, make_bundle: MakeBundle) -> None:
    with pytest.raises(SelfTestFailed, match="the runner was ended by signal 9"):
        flash(make_bundle("new"), Killed(device.url))
    assert _served(device) == _content(old)
    assert _states(device) == ["committed", "failed"]


def test_a_device_with_nothing_on_it_serves_nothing(device: Local) -> None:
    with pytest.raises(DeviceError, match="nothing is installed") as caught:
        serving(device)
    assert isinstance(caught.value, EdgekitError)


def test_a_device_is_found_by_its_url(tmp_path: Path, make_bundle: MakeBundle) -> None:
    with connect(f"local://{tmp_path / 'elsewhere'}") as device:
        flash(make_bundle("one"), device)
    assert (tmp_path / "elsewhere" / "a" / "model.onnx").is_file()
