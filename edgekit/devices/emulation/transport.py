"""Transport `emulated://NAME`: a device that is up under that name, or a fresh one of the target with that id."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import ClassVar, Self
from urllib.parse import urlsplit

from edgekit.cache import Cache
from edgekit.devices.adb import Adb
from edgekit.devices.adb.server import private_server
from edgekit.devices.emulation import registry
from edgekit.devices.emulation.registry import Card
from edgekit.devices.ssh import Ssh
from edgekit.devices.transport import PULL_BYTES, Completed, DeviceKind, Transport
from edgekit.errors import OptionError, UnknownName, suggest
from edgekit.runner.layout import RUNTIMES
from edgekit.specs.catalog import Catalog
from edgekit.specs.target import Target

WAKE_S = 60.0
# Its clock is that of the snapshot, in which no disk of packs is mounted; `guest/start` mounts it from then on.
WAKE = (
    'date -s "$0"; [ -e /etc/packs ] || { mount -t ext4 -o ro /dev/vdc /mnt/packs; '
    f'for pack in /mnt/packs/{RUNTIMES}/*; do [ ! -d "$pack" ] || '
    f'{{ mkdir -p "$1/{RUNTIMES}" && ln -s "$pack" "$1/{RUNTIMES}"; }}; done; : >/etc/packs; }}'
)


class _Ssh(Ssh):
    kind: ClassVar[DeviceKind] = "emulated"


class _Adb(Adb):
    kind: ClassVar[DeviceKind] = "emulated"


@dataclass
class Emulated:
    """An emulated device. `__enter__` starts one if none of that name is up, and `__exit__` ends that one again."""

    kind: ClassVar[DeviceKind] = "emulated"
    python: ClassVar[str] = "python3"

    url: str
    target: Target | None = None
    """Target of the device to start, whatever else has that name: a project may have changed it."""
    _held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack, repr=False)
    _inner: Transport | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if not parts.netloc or parts.path.strip("/") or parts.query or parts.fragment:
            raise OptionError(f"'{self.url}' is no emulated device", hint="emulated://raspberry-pi-5")

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as held:
            card = held.enter_context(_card(urlsplit(self.url).netloc, self.target))
            self._inner = held.enter_context(reached(card))
            self._held = held.pop_all()
        return self

    def __exit__(self, *exc: object) -> None:
        self._held.close()

    @property
    def root(self) -> PurePosixPath:
        return self._reached.root

    def push(self, local: Path, remote: PurePosixPath) -> None:
        self._reached.push(local, remote)

    def pull(self, remote: PurePosixPath, local: Path, limit: int = PULL_BYTES) -> None:
        self._reached.pull(remote, local, limit)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        return self._reached.run(argv, timeout=timeout)

    def free_bytes(self, folder: PurePosixPath) -> int | None:
        return self._reached.free_bytes(folder)

    @property
    def _reached(self) -> Transport:
        assert self._inner, "open it with `with`"
        return self._inner


@contextlib.contextmanager
def reached(card: Card) -> Iterator[Transport]:
    """Open the transport of a running device that its target names, ssh or adb."""
    with contextlib.ExitStack() as held:
        maintenance = held.enter_context(_ssh(card))
        maintenance.run(["sh", "-c", WAKE, f"@{time.time():.3f}", card.root], timeout=WAKE_S)
        if card.transport != "adb":
            yield maintenance
            return
        server = held.enter_context(private_server())
        yield held.enter_context(_Adb(f"adb://127.0.0.1:{card.adb}{card.root}", server=server))


def shell(card: Card, argv: Sequence[str]) -> list[str]:
    """Command line that opens a shell on the device for a person, or runs `argv` there."""
    ssh = _ssh(card)
    alone = ["-oControlPath=none", *([] if argv else ["-t"])]
    return ["ssh", *alone, *ssh.options(), *ssh.address.arguments, shlex.join(argv)]


def _ssh(card: Card) -> _Ssh:
    url = f"ssh://root@127.0.0.1:{card.ssh}{card.root}"
    return _Ssh(url, identity=Path(card.identity), known_hosts=card.known_hosts)


@contextlib.contextmanager
def _card(name: str, target: Target | None) -> Iterator[Card]:
    up = {card.name: card for card in registry.cards() if card.state == "up"}
    if name in up and target is None:
        yield up[name]
        return
    with registry.started(target or _target(name, up), Cache.of_downloads()) as (_, card):
        yield card


def _target(name: str, others: Iterable[str]) -> Target:
    catalog = Catalog.default()
    try:
        return catalog.target(name)
    except UnknownName as error:
        known = [*others, *(target.id for target in catalog.targets() if target.emulation)]
        raise UnknownName(
            f"no emulated device is called '{name}', and no target", hint=suggest(name, known, "edgekit device list")
        ) from error
