"""Debian's own adbd on this machine, in a network that nobody else is in: it lets in whoever finds its port."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from edgekit.cache import Cache
from edgekit.devices import debian
from edgekit.devices.adb import Adb
from edgekit.devices.adb.server import Server, private_server, program
from edgekit.errors import ToolsMissing

ADBD = "usr/lib/android-sdk/platform-tools/adbd"
STRANGER = Path(__file__).with_name("adbd_stranger.py")


@dataclass(frozen=True)
class Network:
    """A network of its own, and mounts of its own, in which devices and an adb server are."""

    enter: tuple[str, ...]
    """Words before a program's name that start it in that network."""
    server: Server
    full: Path
    """A folder that is a disk of 1 MB, for the programs in there."""

    @contextlib.contextmanager
    def device(self, port: int) -> Iterator[Adbd]:
        """A device at `adb://127.0.0.1:PORT`."""
        folder = debian.fetched(["adbd"], debian.host(), Cache.of_downloads(), debian.BACKPORTS)
        with _ended(Adbd(self, port, debian.command(folder, ADBD))) as device:
            yield device

    @contextlib.contextmanager
    def stranger(self, port: int, greeting: str) -> Iterator[Adbd]:
        """A device that nobody can log in to, for the reason that `adbd_stranger` knows."""
        with _ended(Adbd(self, port, [sys.executable, str(STRANGER), str(port), greeting])) as device:
            yield device

    def url(self, device: Adbd, root: Path) -> str:
        return f"adb://127.0.0.1:{device.port}{root}"

    def open(self, device: Adbd, root: Path) -> Adb:
        return Adb(self.url(device, root), server=self.server)


class Adbd:
    """A daemon that can be killed, stopped and started again."""

    def __init__(self, network: Network, port: int, command: Sequence[str]) -> None:
        self.network, self.port, self.command = network, port, command

    def start(self) -> None:
        env = {"ADBD_PORT": str(self.port), "PATH": os.defpath, "HOME": "/", "TMPDIR": "/tmp"}
        argv = [*self.network.enter, *self.command]
        self.process = subprocess.Popen(
            argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/"
        )
        self._wait()

    def kill(self) -> None:
        """End the daemon at once, like a power cut."""
        self.process.kill()
        self.process.wait(20)

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def _wait(self) -> None:
        """Until it listens at its port."""
        table = [*self.network.enter, "sh", "-c", LISTENING, "sh", f"{self.port:04X}"]
        subprocess.run(table, check=True, timeout=60)


# Looked up in the table of sockets: a connection would be taken for a client's.
LISTENING = 'until cat /proc/net/tcp /proc/net/tcp6 | grep -q ":$1 0*:0000 0A"; do sleep 0.02; done'


@contextlib.contextmanager
def _ended(device: Adbd) -> Iterator[Adbd]:
    try:
        device.start()
        yield device
    finally:
        device.kill()
        device.network.server.told("disconnect", f"127.0.0.1:{device.port}")


@contextlib.contextmanager
def opened(full: Path) -> Iterator[Network]:
    """A network in which `full` is a small disk. Skips the test where there can be none."""
    with _namespace(full) as enter, private_server([*enter, *_program()]) as server:
        yield Network(enter, server, full)


def _program() -> tuple[str, ...]:
    try:
        return program()
    except ToolsMissing as error:
        impossible(str(error))


@contextlib.contextmanager
def _namespace(full: Path) -> Iterator[tuple[str, ...]]:
    """Yield the words that start a program in a network of its own, which ends with the context or this process."""
    if not all(shutil.which(name) for name in ("unshare", "nsenter", "ip")):
        impossible("there is no unshare, nsenter or ip (util-linux, iproute2)")
    script = 'ip link set lo up && mount -t tmpfs -o size=1m full "$1" && echo ready && exec cat'
    argv = ["unshare", "--user", "--map-root-user", "--net", "--mount", "sh", "-c", script, "sh", str(full)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stderr is not None
        if holder.stdout.readline() != b"ready\n":
            impossible(f"no network of its own: {holder.stderr.read().decode().strip()}")
        enter = ["nsenter", "--preserve-credentials", "--user", "--net", "--mount", "--target", str(holder.pid)]
        try:
            yield (*enter, "--")
        finally:
            holder.kill()


def impossible(reason: str) -> NoReturn:
    if os.environ.get("EDGEKIT_REQUIRE_EMULATION") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
