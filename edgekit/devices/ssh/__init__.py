"""Transport `ssh://`: the OpenSSH client, with the user's own configuration."""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar, Self

from edgekit.cache import storage_errors
from edgekit.devices import process
from edgekit.devices.command_log import logged_connection
from edgekit.devices.known_hosts import HostKey, KnownHosts
from edgekit.devices.scripts import Script
from edgekit.devices.shell import Shell
from edgekit.devices.ssh.address import SshAddress
from edgekit.devices.ssh.control_folder import control_folder, make_control_folder
from edgekit.devices.transport import Completed, DeviceKind
from edgekit.errors import (
    AuthenticationRefused,
    CommandFailed,
    ConnectionLost,
    EdgekitError,
    HostKeyChanged,
    ToolsMissing,
    Unreachable,
)

CONNECT_S, ALIVE_S, ALIVE_COUNT = 10, 5, 2
"""A dead link is noticed after 15 s."""
SYSTEM = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")
FIRST_S = 30.0
"""Time limit of connecting, jump hosts and all."""
IDLE_S = 60
"""Seconds that a connection stays open which nobody closes, because this process was killed."""
CLOSE_S = 5.0
OWN = 255
"""Exit status of ssh itself; every other one is that of the command on the device."""
SIGNALLED = range(129, 129 + 64)
"""Exit statuses of a shell for a command that a signal ended."""
SAID_CHARACTERS = 200


@dataclass(frozen=True)
class Ssh(Shell):
    """A device at `ssh://[user@]host[:port][/root]`; everything of edgekit's lies in `root` there, or in /opt/edgekit.

    identity: file of the only key to use, without the user's configuration; if None, keys come from the agent, the
    usual files and ~/.ssh/config. known_hosts: file of host keys beside the user's own; edgekit's if None.
    Nothing is ever prompted for. Raises OptionError if the URL is no such address.
    """

    kind: ClassVar[DeviceKind] = "device"
    python: ClassVar[str] = "python3"

    identity: Path | None = None
    known_hosts: Path | None = None
    address: SshAddress = field(init=False)
    _folder: Path = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "address", SshAddress.of(self.url))
        object.__setattr__(self, "_folder", control_folder())

    @property
    def root(self) -> PurePosixPath:
        """Folder on the device that holds everything of edgekit's."""
        return self.address.root

    def __enter__(self) -> Self:
        """Connect. Raises Unreachable, AuthenticationRefused, HostKeyChanged, or ToolsMissing if there is no ssh."""
        _check_installed()
        try:
            with storage_errors(self._folder.parent):
                make_control_folder(self._folder)
            with logged_connection(self.url):
                self.ask(Script(":", {}), FIRST_S)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._close()

    def client(self, line: str) -> Sequence[str]:
        return ["ssh", *self.options(), *self.address.arguments, line]

    def options(self) -> list[str]:
        """Options of ssh that override its configuration."""
        known = (*SYSTEM, self.known_hosts or KnownHosts.of_user().path)
        settings = {
            "BatchMode": "yes",
            "ClearAllForwardings": "yes",
            "ConnectTimeout": CONNECT_S,
            "ControlMaster": "auto",
            "ControlPath": _quoted(self._folder / "s"),
            "ControlPersist": IDLE_S,
            "ForwardAgent": "no",
            # Beside the user's own file, which ssh would write to.
            "GlobalKnownHostsFile": " ".join(map(_quoted, known)),
            "LogLevel": "ERROR",
            "RemoteCommand": "none",
            "RequestTTY": "no",
            "ServerAliveCountMax": ALIVE_COUNT,
            "ServerAliveInterval": ALIVE_S,
            "StrictHostKeyChecking": "yes",
            "UpdateHostKeys": "no",
        }
        own = ["-F", "none", "-i", str(self.identity), *_CLOSED] if self.identity else []
        return [*own, *(f"-o{name}={value}" for name, value in settings.items())]

    def host_key(self) -> HostKey:
        """Fetch the host key that the device shows now, for the user to compare and `KnownHosts` to keep.

        ssh itself fetches it, and stops before it logs in: so jump hosts and aliases work. Raises Unreachable or
        ToolsMissing.
        """
        _check_installed()
        with tempfile.TemporaryDirectory() as folder:
            shown = Path(folder) / "seen"
            settings = (
                "-oStrictHostKeyChecking=accept-new",
                f"-oUserKnownHostsFile={_quoted(shown)}",
                "-oGlobalKnownHostsFile=/dev/null",
                "-oHashKnownHosts=no",
                "-oControlPath=none",
                "-oPreferredAuthentications=none",
            )
            argv = ["ssh", *settings, *self.options(), *self.address.arguments, "true"]
            try:
                ended = process.run(argv, timeout=FIRST_S)
            except CommandFailed as error:
                raise Unreachable(f"{self.url}: no host key within {FIRST_S:g} s", hint="is the link up?") from error
            keys = KnownHosts(shown).all()
        if not keys:
            raise self.failure(ended) or Unreachable(f"{self.url}: it shows no host key", hint="ssh -v, to see why")
        return keys[0]

    def failure(self, ended: Completed) -> EdgekitError | None:
        stderr = ended.stderr
        last = (stderr.strip().splitlines() or [""])[-1]
        if "HOST IDENTIFICATION HAS CHANGED" in stderr:
            return HostKeyChanged(f"{self.url}: {_changed(stderr)}", hint=f"edgekit device trust {self.url} --replace")
        if "ost key verification failed" in stderr:
            name = re.search(r"host key is known for (\S+)", stderr)
            message = (
                f"{self.url}: nobody has vouched yet for the host key of '{name[1] if name else self.address.host}'"
            )
            return HostKeyChanged(message, hint=f"edgekit device trust {self.url}")
        if re.search(r"Permission denied \(|Too many authentication failures", stderr):
            hint = f"ssh-copy-id {' '.join(self.address.arguments)}"
            return AuthenticationRefused(f"{self.url}: {last}", hint=hint)
        if _NEVER_THERE.search(stderr):
            return Unreachable(f"{self.url}: {last}", hint=f"ssh {' '.join(self.address.arguments)} true")
        return self._no_shell(ended)

    def _no_shell(self, ended: Completed) -> EdgekitError | None:
        """Error for a line that no shell ran to its end; None if ssh itself gave up."""
        forbidden = "exec request failed" in ended.stderr
        if not forbidden and not 0 <= ended.returncode < OWN:
            return None
        words = (ended.stdout + ended.stderr).strip().splitlines()[-1:]
        ending = (
            f"it said '{words[0][:SAID_CHARACTERS]}'"
            if words
            else f"it said nothing, and ended with {ended.returncode}"
        )
        if ended.returncode in SIGNALLED:
            message = f"{self.url}: what ran there ended with {ended.returncode}, as a signal has it: {ending}"
            return ConnectionLost(message, hint="try again; is memory short there?")
        return AuthenticationRefused(
            f"{self.url}: this account may log in, and not run commands: {ending}",
            hint=f"ssh {' '.join(self.address.arguments)} true   # ends with 0 for an account with a shell",
        )

    def _close(self) -> None:
        """Leave no connection and no folder behind."""
        try:
            argv = ["ssh", *self.options(), "-Oexit", *self.address.arguments]
            with contextlib.suppress(CommandFailed):
                process.run(argv, timeout=CLOSE_S)
        finally:
            shutil.rmtree(self._folder, ignore_errors=True)


def _check_installed() -> None:
    if shutil.which("ssh") is None:
        raise ToolsMissing("there is no 'ssh' here", hint="apt-get install openssh-client")


_CLOSED = (
    "-oIdentitiesOnly=yes",
    "-oIdentityAgent=none",
    "-oUserKnownHostsFile=/dev/null",
    "-oPreferredAuthentications=publickey",
)
_NEVER_THERE = re.compile(
    r"^ssh: |^kex_exchange_identification|during banner exchange|^Connection (closed|reset) by \S+ port", re.MULTILINE
)


def _quoted(path: object) -> str:
    """Quote a path for an option of ssh, which expands `%` and splits at spaces."""
    return '"' + str(path).replace("%", "%%") + '"'


def _changed(stderr: str) -> str:
    """Message about a changed host key, with both fingerprints where they are known."""
    shown = re.search(r"SHA256:[A-Za-z0-9+/]+", stderr)
    offending = re.search(r"^Offending .* key in (.+):(\d{1,9})", stderr, re.MULTILINE)
    known = _key_at(Path(offending[1]), int(offending[2])) if offending else None
    message = "ITS HOST KEY HAS CHANGED: another device, or somebody in between, answers in its place"
    if shown and known and offending:
        message += f"; it shows {shown[0]}, known is {known.fingerprint} ({offending[1]}:{offending[2]})"
    return message


KNOWN_BYTES = 16 << 20
"""Largest known_hosts file that is read for a fingerprint."""


def _key_at(path: Path, number: int) -> HostKey | None:
    # The message may be the device's own, before any login: the path in it may name any file, or an endless one.
    if not path.is_file() or path.stat().st_size > KNOWN_BYTES:
        return None
    try:
        return HostKey.of_line(path.read_text("utf-8", "replace").splitlines()[number - 1])
    except (OSError, IndexError, ValueError):
        return None
