"""One emulated device: its folder and its emulator, which is started, cut and ended here."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from edgekit.cache import storage_errors
from edgekit.devices import process
from edgekit.devices.emulation import qemu
from edgekit.devices.emulation.board import EmulatedBoard
from edgekit.devices.emulation.image import Image
from edgekit.devices.emulation.locked_folder import claimed
from edgekit.devices.emulation.qemu import GuestPorts
from edgekit.devices.emulation.qmp import Qmp
from edgekit.devices.emulation.tools import Tools
from edgekit.errors import BootFailed, EmulationError, ImageDamaged, PortTaken

BOOT_S = 180.0
"""Time limit in seconds of a cold boot. On two idle cores it takes 10 s."""
LOOK_S = 0.05
DISK_S = 20.0
END_S = 20.0
PANIC = "Kernel panic"
UP = "edgekit: up"
"""Line that `guest/start` writes to the console once sshd and adbd run."""
GUARD = Path(__file__).with_name("guard.py")
DISKS = ("disk", "small")


@dataclass(frozen=True)
class EmulationSetup:
    """Programs, image and board: the common parts of every device of one board."""

    tools: Tools
    image: Image
    board: EmulatedBoard


@dataclass
class Machine:
    """A device in a folder of its own. Nothing of it is left once it is ended, or the process that made it dies."""

    setup: EmulationSetup
    folder: Path
    ports: GuestPorts
    lock: IO[bytes]
    _guard: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _qmp: Qmp | None = field(default=None, repr=False)

    @property
    def qmp(self) -> Qmp:
        """Control socket of its emulator. Raises BootFailed if it does not run."""
        if self._qmp is None:
            raise BootFailed(f"'{self.folder.name}' does not run")
        return self._qmp

    def boot(self) -> None:
        """Boot from the disk as it is, and wait until the device is up. Raises BootFailed, PortTaken, ImageDamaged."""
        (self.folder / "console.log").unlink(missing_ok=True)
        self._start()
        deadline = time.monotonic() + BOOT_S
        while not (UP in self.console() and self._listens()):
            self._check(deadline)
            time.sleep(LOOK_S)

    def wake_up(self, memory: Path) -> None:
        """Resume from a snapshot: `memory` of a machine of this board with these disks. Raises as `boot`."""
        self._start("-incoming", f"file:{memory}")
        try:
            self.qmp.wake_up()
        except BootFailed as error:
            raise self._given_up(error) from error

    def cut_power(self) -> None:
        """Kill it at once, like a power cut: data that the guest did not flush is lost. `boot` starts it again."""
        self._tell(b"cut\n")
        self._ended()

    @property
    def pid(self) -> int | None:
        """Process id of its guard, which ends it on SIGTERM; None while it does not run."""
        return self._guard.pid if self._guard else None

    def keep(self) -> None:
        """Let it outlive this process, which does not control it any more."""
        self._tell(b"keep\n")
        self.qmp.close()
        if self._guard:
            self._guard.returncode = 0  # nobody waits for it here: `Popen` would complain
        self._qmp = self._guard = None

    def end(self) -> None:
        """End it, and remove everything of it."""
        if self._guard and self._guard.stdin:
            self._guard.stdin.close()
            self._ended()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.close()

    def console(self) -> str:
        """Text that the guest wrote to its console since it was started."""
        try:
            return (self.folder / "console.log").read_text("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def _start(self, *more: str) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            argv = qemu.command(
                self.setup.tools, self.setup.image, self.setup.board, self.folder, self.ports, theirs.fileno()
            )
            self._guard = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), str(self.folder), *argv, *more],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                pass_fds=(theirs.fileno(), self.lock.fileno()),
                env={**os.environ, "EDGEKIT_GUARDED": str(theirs.fileno())},
            )
        try:
            self._qmp = Qmp(ours)
        except BootFailed as error:
            raise self._given_up(error) from error

    def _check(self, deadline: float) -> None:
        if self._guard is None or self._guard.poll() is not None:
            raise self._failure("the emulator has ended")
        if PANIC in self.console():
            raise self._failure("its kernel gave up")
        if time.monotonic() > deadline:
            raise self._failure(f"it is not up after {BOOT_S:g} s")

    def _given_up(self, error: BootFailed) -> EmulationError:
        """End an emulator that does not start, and return the error with the reason."""
        with contextlib.suppress(EmulationError):
            self._tell(b"cut\n")  # it may run, and not answer
        self._ended()
        return self._failure(str(error))

    def _failure(self, what: str) -> EmulationError:
        log = self.folder / "emulator.log"
        output = log.read_text("utf-8", "replace").strip() if log.exists() else ""
        lines = output.splitlines()[-3:]
        port = re.search(r"host forwarding rule 'tcp:127\.0\.0\.1:(\d+)", output)
        if port:
            return PortTaken(
                f"a program listens on port {port[1]} of this machine", hint="leave out --port: a free one is found"
            )
        if any(word in output for word in ("Could not open", "Image is", "qcow2", "load of migration failed")):
            return ImageDamaged(
                f"what '{self.setup.board.target}' starts from is not whole: {' | '.join(lines)}",
                hint=_remade(self.setup.image.folder),
            )
        last = " | ".join([*lines, *self.console().strip().splitlines()[-5:]])
        return BootFailed(
            f"'{self.folder.name}' did not start: {what}" + (f": {last}" if last else ""),
            hint=f"try again, and if it stays so: {_remade(self.setup.image.folder)}",
        )

    def _listens(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.ports.ssh), timeout=1) as connection:
                connection.settimeout(5)
                return connection.recv(4) == b"SSH-"
        except OSError:
            return False

    def _tell(self, word: bytes) -> None:
        if self._guard is None or self._guard.stdin is None:
            raise BootFailed(f"'{self.folder.name}' does not run")
        try:
            self._guard.stdin.write(word)
            self._guard.stdin.close()
        except BrokenPipeError as error:
            raise self._failure("the emulator has ended") from error

    def _ended(self) -> None:
        if self._qmp:
            self._qmp.close()
        if self._guard:
            try:
                self._guard.wait(END_S)
            except subprocess.TimeoutExpired:
                self._guard.kill()  # and Linux the emulator
                self._guard.wait()
            if self._guard.stdin:
                self._guard.stdin.close()
        self._qmp = self._guard = None


def _remade(folder: Path) -> str:
    return f"rm -r {shlex.quote(str(folder))} has it made anew at the next start"


def make(
    setup: EmulationSetup, folder: Path, backing: Path, ports: GuestPorts | None = None, packs: Path | None = None
) -> Machine:
    """Make a machine, which does not run yet, in a new folder, on top of the disks in the folder `backing`.

    packs: its disk of runtime packs; the image's, without any, if None. Raises DeviceBusy if the folder is in use,
    StorageError.
    """
    with storage_errors(folder.parent):
        lock = claimed(folder)
        try:
            for name in DISKS:
                _overlay(setup.tools, backing / f"{name}.qcow2", folder / f"{name}.qcow2")
            (folder / setup.image.packs.name).symlink_to(packs or setup.image.packs)
            return Machine(setup, folder, ports or free_ports(), lock)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            lock.close()
            raise


def free_ports() -> GuestPorts:
    """Find two free ports of this machine, not among those where adb looks for emulators by itself."""
    with contextlib.ExitStack() as held:
        ports = [port for port in _free(held) if not 5553 < port < 5686]
    return GuestPorts(*ports[:2])


def _free(held: contextlib.ExitStack) -> Iterator[int]:
    for _ in range(200):
        listener = held.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        yield listener.getsockname()[1]


def _overlay(tools: Tools, backing: Path, disk: Path) -> None:
    disk.unlink(missing_ok=True)
    argv = [*tools.qemu_img, "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", str(backing), str(disk)]
    ended = process.run(argv, timeout=DISK_S)
    if ended.returncode:
        last = " | ".join(ended.stderr.strip().splitlines()[-3:])
        raise ImageDamaged(f"'{backing}' is no disk: {last}", hint=_remade(backing.parent))
