"""A real sshd on this machine, which lets the user who runs the tests in with a key of its own."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from edgekit.devices import debian
from edgekit.devices.known_hosts import HostKey
from edgekit.devices.ssh import Ssh

PACKAGES = ("openssh-server", "libnss-wrapper")
# As root, sshd wants a user for what it does before it knows who is there.
OTHERS = "sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin\n"
SETTINGS = """
AuthorizedKeysFile {folder}/authorized
HostKey {folder}/host
ListenAddress 127.0.0.1
PasswordAuthentication no
PidFile none
Port {port}
PrintMotd no
StrictModes no
UsePAM no
"""


@dataclass
class Sshd:
    """Listens on `port` of 127.0.0.1 between `start` and `stop`; keeps all of its own in `folder`."""

    folder: Path
    packages: Path
    shell: str = "/bin/sh"
    port: int = field(init=False)
    _process: subprocess.Popen[bytes] | None = None

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.port = _free_port()
        for name in ("host", "user"):
            self.new_key(name)
        (self.folder / "authorized").write_bytes((self.folder / "user.pub").read_bytes())
        (self.folder / "config").write_text(SETTINGS.format(folder=self.folder, port=self.port))
        passwd = f"device:x:{os.getuid()}:{os.getgid()}::{self.folder}:{self.shell}\n{OTHERS}"
        (self.folder / "passwd").write_text(passwd)
        (self.folder / "group").write_text(f"device:x:{os.getgid()}:\nnogroup:x:65534:\n")
        (self.folder / "shadow").write_text("device:*:::::::\n")

    @property
    def url(self) -> str:
        """URL of a device whose root is below the folder."""
        return f"ssh://device@127.0.0.1:{self.port}{self.folder}/root"

    def device(self) -> Ssh:
        """Known and let in."""
        (self.folder / "known").write_text(self.host_key.line)
        return Ssh(self.url, identity=self.folder / "user", known_hosts=self.folder / "known")

    def known_as_lab(self, home: Path, patch: pytest.MonkeyPatch) -> Path:
        """Give whoever runs ssh a home whose configuration knows this sshd as `Lab`; return its folder .ssh.

        ssh looks for it in passwd, not in HOME.
        """
        folder = home / ".ssh"
        folder.mkdir(mode=0o700)
        (folder / "config").write_text(
            f"Host Lab\n HostName 127.0.0.1\n Port {self.port}\n User device\n IdentityFile {self.folder}/user\n"
        )
        (home / "passwd").write_text(f"me:x:{os.getuid()}:{os.getgid()}::{home}:/bin/sh\n")
        (home / "group").write_text(f"me:x:{os.getgid()}:\n")
        (library,) = self.packages.glob("usr/lib/*/libnss_wrapper.so")
        patch.setenv("LD_PRELOAD", str(library))
        patch.setenv("NSS_WRAPPER_PASSWD", str(home / "passwd"))
        patch.setenv("NSS_WRAPPER_GROUP", str(home / "group"))
        return folder

    @property
    def host_key(self) -> HostKey:
        kind, text, *_ = (self.folder / "host.pub").read_text().split()
        return HostKey(f"[127.0.0.1]:{self.port}", kind, text)

    def new_key(self, name: str) -> None:
        for path in (self.folder / name, self.folder / f"{name}.pub"):
            path.unlink(missing_ok=True)
        subprocess.run(["ssh-keygen", "-qt", "ed25519", "-N", "", "-f", self.folder / name], check=True)

    def start(self) -> None:
        if os.getuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # Debian's sshd does not start without it
        env = {
            "LD_LIBRARY_PATH": debian.libraries(self.packages),
            "LD_PRELOAD": "libnss_wrapper.so",
            **{f"NSS_WRAPPER_{name.upper()}": str(self.folder / name) for name in ("passwd", "group", "shadow")},
        }
        argv = [self.packages / "usr/sbin/sshd", "-D", "-E", self.folder / "log", "-f", self.folder / "config"]
        self._process = subprocess.Popen([*map(str, argv)], env={**os.environ, **env}, start_new_session=True)
        deadline = time.monotonic() + 60
        while not self._answers():
            log = self.folder / "log"
            assert self._process.poll() is None, log.read_text() if log.exists() else "no sshd"
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def stop(self) -> None:
        """No more connections, and none of those that are."""
        self.drop()
        if self._process:
            self._process.kill()
            self._process.wait()
        self._process = None

    def drop(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Cut every connection, or send all of them a signal."""
        for pid in self.connections():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def connections(self) -> list[int]:
        """The processes that serve connections, and not what runs in them."""
        return _children(self._process.pid, "sshd") if self._process else []

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as tried:
            tried.settimeout(5)
            return tried.recv(4) == b"SSH-"
        return False


@contextlib.contextmanager
def running(folder: Path, packages: Path) -> Iterator[Sshd]:
    sshd = Sshd(folder, packages)
    try:
        sshd.start()
        yield sshd
    finally:
        sshd.stop()


def _children(pid: int, name: str) -> list[int]:
    """The processes of that name below a process, at any depth."""
    children = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            if Path(f"/proc/{child}/comm").read_text().strip() == name:
                children += [int(child), *_children(int(child), name)]
    return children


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
