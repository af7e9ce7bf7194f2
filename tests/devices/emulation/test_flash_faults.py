"""Whatever goes wrong while a device is flashed, it serves the old bundle or the new one, whole, and takes the next.

One emulated Raspberry Pi 5 for all of it, flashed over its real sshd, with bundles that are built in seconds.
"""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath

import pytest

from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.devices.device import connect
from edgekit.devices.emulation.registry import CARD
from edgekit.devices.flash import commit, flash, status
from edgekit.devices.transport import Completed, Transport
from edgekit.errors import EdgekitError, StorageError, Unreachable
from edgekit.specs.catalog import Catalog
from scripts.cuts import cutting
from scripts.cuts.bundles import built
from scripts.cuts.cutting import Board
from scripts.cuts.observation import contents, observe, silent
from scripts.cuts.step_recorder import RecordedTransport
from tests.command_line import edgekit_here, end, environment, start
from tests.devices.test_unreachable import told
from tests.failing_converters import until

LIMIT_S = 180.0
LEASE_S = 10.0
BALLAST = PurePosixPath("/opt/ballast")
HELD = re.compile(r"'\S+, process (\d+)' is flashing it, and may for (\d+) s more")
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def board(emulation: None, places: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    with pytest.MonkeyPatch.context() as patch:
        for name, folder in places.items():
            patch.setenv(name, folder)
        target = Catalog.default().target("raspberry-pi-5")
        with cutting.board(target, built(target.id, tmp_path_factory.mktemp("bundles"), "onnx")) as made:
            card = made.device.card
            # As one that is up: this process plugs it out and in, commands find it by its name.
            (card.folder / CARD).write_text(json.dumps(asdict(card) | {"guard": made.device.machine.pid}))
            yield made


@pytest.fixture
def new(board: Board) -> Iterator[Bundle]:
    """A bundle that is not on the device.

    Afterwards, that or the old one is served. After the old one, another one can be flashed; the new one was, here.
    """
    old, new = board.served(), board.news()
    before = board.looked
    yield new
    if board.looked is before:  # else the test has seen to it, once all that it does was done
        keeps(board, old, new)
    with board.device.connected() as transport:
        if board.served() is old:
            following = board.news()
            board.flash(transport, following, "commit")
            assert board.looked.served == following.digest
        assert board.left(transport) == ""


def keeps(board: Board, *bundles: Bundle) -> None:
    """One of these is served, whole. That it answers, too, is asked once: of each, the self-test was passed here."""
    with board.device.connected() as transport:
        board.runner = replace(board.runner, transport=transport)
        board.looked = observe(board.runner)
        served = board.served()
        assert served in bundles
        assert board.looked.seen[-1].files == contents(served)


@dataclass
class Struck(RecordedTransport):
    """Something happens as a step begins; the lease is one that soon ends."""

    at: str = ""
    strike: Callable[[], None] = lambda: None

    def begin(self, step: str) -> float:
        if step == self.at:
            self.strike()
        return super().begin(step)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        more = ["--ttl", str(LEASE_S)] if "--who" in argv else []
        return super().run([*argv, *more], timeout=timeout)


def done(transport: Transport, *argv: str) -> str:
    ended = transport.run(argv, timeout=LIMIT_S)
    assert ended.returncode == 0, ended
    return ended.stdout


def url(board: Board) -> str:
    return f"emulated://{board.device.card.name}"


def struck(board: Board, bundle: Bundle, step: str, strike: Callable[[Transport], None]) -> EdgekitError | None:
    """Flash and commit, as `strike` happens at the beginning of a step; the error that it ended with."""
    with board.device.connected() as transport:
        cutting.prepare(transport)
        way = Struck(transport, at=step, strike=lambda: strike(transport))
        try:
            commit(flash(bundle, way))
        except EdgekitError as error:
            return error
        assert step in way.begun
        return None


def test_a_disk_that_is_full_as_a_step_begins(board: Board, new: Bundle) -> None:
    old = board.served()

    def fill(transport: Transport) -> None:
        board.device.fill_disk(transport, BALLAST)

    for step in ("archive", "stage"):
        with board.device.connected() as transport:
            done(transport, "mkdir", str(BALLAST))
        error = struck(board, new, step, fill)
        assert isinstance(error, StorageError), (step, error)
        with board.device.connected() as transport:
            assert observe(replace(board.runner, transport=transport)).seen[-1].files == contents(old)
            done(transport, "rm", "-r", str(BALLAST))


def test_a_link_that_is_lost_for_seconds_delays_a_flash(board: Board, new: Bundle) -> None:
    def flap(transport: Transport) -> None:
        board.device.link(up=False)
        threading.Timer(3.0, board.device.link, kwargs={"up": True}).start()

    assert struck(board, new, "stage", flap) is None
    keeps(board, new)
    with board.device.connected() as transport:
        assert list(silent(replace(board.runner, transport=transport), board.looked)) == []


def test_a_link_that_stays_lost_ends_a_flash_and_its_lease(board: Board, new: Bundle) -> None:
    old = board.served()
    try:
        error = struck(board, new, "stage", lambda transport: board.device.link(up=False))
    finally:
        board.device.link(up=True)
    assert isinstance(error, Unreachable), error
    keeps(board, old)
    assert until(lambda: free(board), 20 * LEASE_S)


def free(board: Board) -> bool:
    """Whether nobody flashes the device. If somebody does, it is left alone for as long as they may.

    Its clock counts instructions, and falls behind while it is asked again and again.
    """
    with board.device.connected() as transport:
        lease = status(transport).lease
    time.sleep(lease.left_s if lease else 0.0)
    return lease is None


FREEZE = """
import os, signal, sys, time
from pathlib import Path

root, end = Path(sys.argv[1]), time.monotonic() + float(sys.argv[2])


def flashes(process):
    try:
        return b"\\0slots\\0install\\0" in (process / "cmdline").read_bytes()
    except OSError:
        return False


def found():
    return [int(process.name) for process in Path("/proc").glob("[0-9]*") if flashes(process)]


while time.monotonic() < end and not (found() and (root / "lease.json").exists()):
    time.sleep(0.02)
for pid in found():
    os.kill(pid, signal.SIGSTOP)
    print(pid)
"""
"""Stops what flashes the device as soon as it is there and holds the lease; the number of its process.

In Python: the image has no grep. It holds the lease for seconds, until it has computed the golden inputs.
"""


@contextlib.contextmanager
def frozen(board: Board) -> Iterator[Callable[[], bool]]:
    """A device on which what flashes it stands still meanwhile; whether that has been ended there."""
    with board.device.connected() as transport:
        argv = ("python3", "-I", "-S", "-c", FREEZE, str(transport.root), str(LIMIT_S / 2))
        stopped = done(transport, *argv).split()
        assert len(stopped) == 1, stopped
        yield lambda: transport.run(["test", "-e", f"/proc/{stopped[0]}"], timeout=LIMIT_S).returncode != 0
        transport.run(["kill", "-CONT", *stopped], timeout=LIMIT_S)


def test_the_second_of_two_hosts_is_told_who_flashes_and_the_first_ends_well(
    board: Board, new: Bundle, places: dict[str, str]
) -> None:
    first = start("flash", new.path, "--device", url(board), env=places)
    with frozen(board):
        second = edgekit_here("flash", other(board, new).path, "--device", url(board), env=places)
    message, hint = told(second, "EK405")
    match = HELD.search(message)
    assert match, message
    assert int(match[1]) == first.pid
    assert 0 < int(match[2]) <= 120
    assert hint == "wait until that has ended, then try again"
    ended = end(first)
    assert ended.code == 0, ended.err
    keeps(board, new)


def flash_briefly(url: str, bundle: str) -> None:
    """Flash as a host does, with a lease of seconds."""
    with connect(url) as transport:
        cutting.prepare(transport)
        flash(Bundle.open(Path(bundle), KeyStore.of_user().trusted()), Struck(transport))


def test_a_host_that_is_killed_holds_the_device_no_longer_than_its_lease(
    board: Board, new: Bundle, places: dict[str, str]
) -> None:
    old = board.served()
    program = f"import sys; from {__name__} import flash_briefly; flash_briefly(*sys.argv[1:])"
    argv = [sys.executable, "-c", program, url(board), str(other(board, new).path)]
    killed = subprocess.Popen(argv, env=environment(places))
    with frozen(board) as ended_there:
        killed.kill()
        assert killed.wait(LIMIT_S) == -signal.SIGKILL
        assert until(ended_there)
        message, _ = told(edgekit_here("flash", new.path, "--device", url(board), env=places), "EK405")
    match = HELD.search(message)
    assert match, message
    # A clock that counts instructions is behind while the device, or this machine, has much to do.
    assert int(match[2]) <= LEASE_S
    keeps(board, old)
    assert until(lambda: free(board), 20 * LEASE_S)


def other(board: Board, new: Bundle) -> Bundle:
    """Neither what is served nor `new`."""
    return next(bundle for bundle in board.bundles if bundle not in (board.served(), new))
