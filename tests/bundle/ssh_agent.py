"""A real SSH agent of its own, and one that answers what it is told to."""

from __future__ import annotations

import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def running_agent() -> Iterator[Path]:
    """The socket of OpenSSH's agent, which holds nothing yet; skips where there is none."""
    if not shutil.which("ssh-agent"):
        pytest.skip("there is no ssh-agent here")
    # A socket's path must be short.
    with tempfile.TemporaryDirectory(prefix="agent") as folder:
        address = Path(folder) / "socket"
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", address], stdout=subprocess.DEVNULL)
        try:
            until = time.monotonic() + 30
            while not address.exists() and time.monotonic() < until:
                time.sleep(0.01)
            yield address
        finally:
            agent.kill()
            agent.wait()


def add_to(address: Path, folder: Path, comment: str, kind: str = "ed25519", *options: str) -> Path:
    """A new key in the agent: the file of its public half, as OpenSSH writes it."""
    path = folder / f"{comment}-{kind}"
    made = ["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", comment, "-f", str(path)]
    for argv in (made, ["ssh-add", "-q", *options, str(path)]):
        subprocess.run(argv, check=True, capture_output=True, timeout=60, env={"SSH_AUTH_SOCK": str(address)})
    path.unlink()
    return path.with_suffix(".pub")


@contextmanager
def lying_agent(*answers: bytes, hang: bool = False) -> Iterator[Path]:
    """An agent that gives each of these bytes to one question, the length in front of them too; then hangs or ends."""
    with tempfile.TemporaryDirectory(prefix="agent") as folder, socket.socket(socket.AF_UNIX) as listening:
        address = Path(folder) / "socket"
        listening.bind(str(address))
        listening.listen()
        done = threading.Event()

        def answer() -> None:
            for content in answers:
                link, _ = listening.accept()
                with link:
                    link.recv(1 << 20)
                    link.sendall(content)
                    if hang:
                        done.wait(60)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        try:
            yield address
        finally:
            done.set()
            listening.close()
