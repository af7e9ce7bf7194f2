"""Address of a device in an `ssh://` URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from edgekit.errors import OptionError

ROOT = PurePosixPath("/opt/edgekit")


@dataclass(frozen=True)
class SshAddress:
    """Parts of `ssh://[user@]host[:port][/root]`. The host may be an alias in the user's ssh configuration."""

    host: str
    user: str | None
    port: int | None
    root: PurePosixPath

    @classmethod
    def of(cls, url: str) -> SshAddress:
        """Parse a URL. Raises OptionError if it is no such address."""
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise _no_address(url, str(error)) from error
        login, _, place = parts.netloc.rpartition("@")
        # `hostname` would be in lower case, and an alias may not be.
        host = unquote(re.sub(r":\d*$", "", place).strip("[]"))
        user = unquote(login) or None
        path = PurePosixPath(unquote(parts.path) or "/")
        if parts.scheme != "ssh" or parts.query or parts.fragment:
            raise _no_address(url, "it has more to it")
        if ":" in login:
            raise _no_address(url, "a password has no place in it; use a key")
        if not _HOST.fullmatch(host) or (user and not _USER.fullmatch(user)) or port == 0:
            raise _no_address(url, "that is no host, user or port")
        if ".." in path.parts or "\0" in str(path):
            raise _no_address(url, "its folder is not plain")
        return cls(host, user, port, ROOT if path == PurePosixPath("/") else path)

    @property
    def arguments(self) -> tuple[str, ...]:
        """Arguments for ssh and ssh-copy-id."""
        port = ("-p", str(self.port)) if self.port else ()
        return (*port, f"{self.user}@{self.host}" if self.user else self.host)


# The user's ssh configuration may put names into command lines of other programs: only letters that are safe there.
_HOST = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9_.-]+)?")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.+@-]*")


def _no_address(url: str, why: str) -> OptionError:
    without = re.sub(r"(//[^/:@]*):[^/]*@", r"\1:…@", url)
    return OptionError(f"'{without}' is no device: {why}", hint="ssh://user@host:22/absolute/folder")
