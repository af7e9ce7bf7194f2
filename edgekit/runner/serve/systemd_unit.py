"""A systemd unit that serves a device's folder from its boot on: the system's if root asks, else this user's."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import RunnerError

BOOTED = Path("/run/systemd/system")
"""Folder that is there if systemd runs the machine (sd_booted(3))."""
LIMIT_S = 90.0
TEXT = """\
# Written by `edgekit device serve --boot`; `edgekit device serve --stop` removes it.
[Unit]
Description=edgekit: the committed model of {root}
StartLimitIntervalSec=0

[Service]
ExecStart={command}
Restart=always
RestartSec=2
# The server ends its workers itself, once they have answered.
KillMode=mixed
TimeoutStopSec=30
NoNewPrivileges=yes
UMask=0077

[Install]
WantedBy={target}
"""


class SystemdUnit(NamedTuple):
    """Unit of one root. Every method raises RunnerError (system) if systemd refuses."""

    root: Path
    is_system: bool
    """True for a unit of the machine, False for one of this user."""

    @classmethod
    def of(cls, root: Path) -> SystemdUnit:
        return cls(root, os.geteuid() == 0)

    @property
    def name(self) -> str:
        return "edgekit-serve-" + re.sub("[^0-9A-Za-z]+", "-", str(self.root)).strip("-") + ".service"

    @property
    def path(self) -> Path:
        if self.is_system:
            return Path("/etc/systemd/system") / self.name
        return Path("~/.config/systemd/user").expanduser() / self.name

    def install(self, argv: Sequence[str]) -> bool:
        """Write the unit, start it, and have it started at boot; False if that waits until this user logs in."""
        if not BOOTED.is_dir():
            raise RunnerError("system", "no systemd runs this device, and nothing else starts programs for it at boot")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_suffix(f".{os.getpid()}")
        partial.write_text(self.text(argv))
        partial.chmod(0o644)
        partial.replace(self.path)
        self._systemctl("daemon-reload")
        self._systemctl("enable", self.name)
        self._systemctl("restart", self.name)
        # Its file and the links of `enable` would not outlive a power cut now.
        os.sync()
        # Units of a user end with the last session, unless they linger.
        return self.is_system or _run(["loginctl", "enable-linger", getpass.getuser()]) is None

    def text(self, argv: Sequence[str]) -> str:
        """Content of the unit's file. argv: the server's command line."""
        target = "multi-user.target" if self.is_system else "default.target"
        return TEXT.format(root=self.root, command=" ".join(map(quoted, argv)), target=target)

    def remove(self) -> bool:
        """End the server, and remove the unit; False if there is none."""
        if not self.path.exists():
            return False
        if BOOTED.is_dir():
            self._systemctl("disable", "--now", self.name)
        self.path.unlink()
        if BOOTED.is_dir():
            self._systemctl("daemon-reload")
        return True

    def _systemctl(self, *words: str) -> None:
        problem = _run(["systemctl", *([] if self.is_system else ["--user"]), *words])
        if problem is not None:
            raise RunnerError("system", f"systemctl {' '.join(words)}: {problem}")


def quoted(word: str) -> str:
    """Quote a word of a command line in a unit (systemd.service(5), COMMAND LINES; systemd.unit(5), specifiers)."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'


def _run(argv: list[str]) -> str | None:
    """Run a program; None if it succeeds, else what it says."""
    program = shutil.which(argv[0])
    if program is None:
        return f"there is no {argv[0]}"
    # Without it, systemctl of a user who has come by ssh does not find their systemd.
    environment = {"XDG_RUNTIME_DIR": f"/run/user/{os.geteuid()}", **os.environ}
    try:
        ended = subprocess.run(
            [program, *argv[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LIMIT_S,
            env=environment,
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return None if ended.returncode == 0 else ended.stdout.strip()[-300:] or f"status {ended.returncode}"
