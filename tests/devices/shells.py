"""This machine behind the shells and tools that devices have."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.devices.shell import Shell
from edgekit.devices.transport import Completed
from edgekit.errors import EdgekitError

PACKAGES = ("busybox-static", "mksh", "toybox")
SHELLS = ("dash", "bash", "busybox", "android")


@dataclass(frozen=True)
class Here(Shell):
    """This machine: `path` is where its shell and its tools are."""

    path: str
    link: str = ""
    """A script that is given the shell and its arguments, and stands between it and the client."""
    sending: bool = False
    """The link breaks only in a command that sends a file."""

    def client(self, line: str) -> Sequence[str]:
        if not self.link or (self.sending and "cat >>" not in line):
            return ["sh", "-c", line]
        return [
            "/bin/sh",
            "-c",
            f"PATH={os.defpath}; {self.link}",
            "link",
            "env",
            f"PATH={self.path}",
            "sh",
            "-c",
            line,
        ]

    def environment(self) -> Mapping[str, str]:
        return {"PATH": self.path}

    def failure(self, ended: Completed) -> EdgekitError | None:
        return None


def tools(shell: str, folder: Path, packages: Path) -> str:
    """A PATH with that shell as `sh` and the tools that come with it: coreutils, busybox, or toybox as on Android."""
    folder.mkdir(exist_ok=True)
    system = os.defpath
    if shell in ("dash", "bash"):
        _link(folder / "sh", Path(f"/bin/{shell}"))
        return f"{folder}:{system}"
    box = packages / "bin" / ("busybox" if shell == "busybox" else "toybox")
    for name in _applets(box):
        _link(folder / name, box)
    if shell == "android":
        _link(folder / "sh", packages / "bin" / "mksh")
    return str(folder)


def _applets(box: Path) -> list[str]:
    listed = subprocess.run([box, *(["--list"] if box.name == "busybox" else [])], capture_output=True, text=True)
    return listed.stdout.split()


def _link(name: Path, program: Path) -> None:
    name.unlink(missing_ok=True)
    name.symlink_to(program)
