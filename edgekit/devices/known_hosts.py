"""Host keys that the user trusts: a `known_hosts` file of edgekit's, beside the user's own."""

from __future__ import annotations

import base64
import fcntl
import hashlib
from dataclasses import dataclass
from pathlib import Path

from edgekit import user_paths
from edgekit.atomic import readable, replacing, stored
from edgekit.errors import HostKeyChanged
from edgekit.permissions import OWNERS_FILE, private_folder, private_opener


@dataclass(frozen=True)
class HostKey:
    """Public half of a device's host key, and the name that ssh looks it up under."""

    name: str
    kind: str
    """Type of the key, such as ssh-ed25519."""
    text: str
    """Key in base64."""

    @classmethod
    def of_line(cls, line: str) -> HostKey | None:
        """Parse a line of a known_hosts file; None if it holds no key."""
        words = line.split()
        if words[:1] == ["@cert-authority"] or words[:1] == ["@revoked"]:
            return None
        if len(words) < 3 or line.startswith("#"):
            return None
        return cls(*words[:3])

    @property
    def line(self) -> str:
        return f"{self.name} {self.kind} {self.text}\n"

    @property
    def fingerprint(self) -> str:
        """Fingerprint as ssh-keygen prints it, for people to compare with the one that the device itself shows."""
        try:
            blob = base64.b64decode(self.text, validate=True)
        except ValueError:
            return "no key"
        return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


@dataclass(frozen=True)
class KnownHosts:
    """A known_hosts file. Safe when several processes add to it at once."""

    path: Path

    @classmethod
    def of_user(cls) -> KnownHosts:
        """The file of edgekit, in the user's config folder or in EDGEKIT_CONFIG."""
        return cls(user_paths.config() / "known_hosts")

    def keys(self, name: str) -> tuple[HostKey, ...]:
        """Keys that are known under that name. Raises StorageError if the file cannot be read."""
        return tuple(key for key in self.all() if key.name == name)

    def all(self) -> tuple[HostKey, ...]:
        """Every key in the file. Raises StorageError if it cannot be read."""
        return tuple(key for line in self._lines() if (key := HostKey.of_line(line)))

    def keep(self, key: HostKey, *, replace: bool = False) -> None:
        """Trust a device that shows this key, from now on.

        Raises HostKeyChanged if another one is known under its name, unless that is to be replaced; StorageError.
        """
        with stored(self.path):
            private_folder(self.path.parent)
            with open(self.path.with_name(f".{self.path.name}.lock"), "w", opener=private_opener) as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._write(key, replace)

    def _write(self, key: HostKey, replace: bool) -> None:
        others = [known for known in self.keys(key.name) if known != key]
        if others and not replace:
            raise HostKeyChanged(
                f"another host key of '{key.name}' is known: {others[0].fingerprint}, not {key.fingerprint}",
                hint="look at the device itself: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub",
            )
        kept = [line for line in self._lines() if HostKey.of_line(line) not in (key, *others)]
        with replacing(self.path, OWNERS_FILE) as file:
            file.write("".join((*kept, key.line)).encode("utf-8", "surrogateescape"))

    def _lines(self) -> list[str]:
        if not self.path.exists():
            return []
        with readable(self.path):
            text = self.path.read_text("utf-8", "surrogateescape")
        return [f"{line}\n" for line in text.splitlines()]
