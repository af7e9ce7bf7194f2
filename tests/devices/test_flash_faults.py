"""Whatever goes wrong while flashing, what is served stays whole."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

import pytest

from edgekit.devices.flash import Installation, commit, flash, serving, status
from edgekit.devices.local import Local
from edgekit.devices.transport import Completed
from edgekit.errors import (
    CommandFailed,
    DeviceBusy,
    SelfTestFailed,
    StorageError,
)
from tests.devices.conftest import HandMade, MakeBundle, with_more
from tests.devices.interruption import Interrupted
from tests.devices.slot_contents import content, left_over, served, states
from tests.devices.test_local import largest_file


def test_a_lock_that_a_living_process_holds_is_respected(device: Local, old: HandMade, make_bundle: MakeBundle) -> None:
    with (Path(device.root) / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(DeviceBusy, match="another edgekit is at work"):
            flash(make_bundle("new"), device)
    assert served(device) == content(old)
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
        flash(with_more(make_bundle("new")), Full(device.url))
    assert served(device) == content(old)
    assert states(device) == ["committed", "empty"]
    assert left_over(device) == set()


def test_a_host_that_dies_at_any_step_leaves_the_old_one_serving(
    device: Local, old: HandMade, make_bundle: MakeBundle
) -> None:
    new = with_more(make_bundle("new"))
    steps = 0
    installation: Installation | None = None
    while installation is None:
        Interrupted.left = steps
        try:
            installation = flash(new, Interrupted(device.url))
        except KeyboardInterrupt:
            steps += 1
            # A dead host holds its lease for two minutes.
            (Path(device.root) / "lease.json").unlink(missing_ok=True)
        assert served(device) == content(old)
        assert serving(device).digest == old.digest
    assert steps > 3
    commit(flash(new, device))
    assert served(device) == content(new)
    assert left_over(device) == set()


DYING = """
import os, sys
sys.path.insert(0, sys.argv.pop(1))
from runner.verbs import selftest
from runner.__main__ import main
selftest.selftest = lambda *args, **options: os.kill(os.getpid(), 9)
main(sys.argv[1:])
"""


class Killed(Local):
    """The runner dies as it tests the model, as when the device is out of memory."""

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if "install" in argv:
            program = next(word for word in argv if word.endswith(".pyz"))
            argv = [self.python, "-c", DYING, program, *argv[argv.index(program) + 1 :]]
        return super().run(argv, timeout=timeout)


def test_a_runner_that_is_killed_fails_the_self_test(device: Local, old: HandMade, make_bundle: MakeBundle) -> None:
    with pytest.raises(SelfTestFailed, match="the runner was ended by signal 9"):
        flash(make_bundle("new"), Killed(device.url))
    assert served(device) == content(old)
    assert states(device) == ["committed", "failed"]
