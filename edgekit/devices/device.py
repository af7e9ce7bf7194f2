"""Resolution of `--device`: a URL, or the name of a device in the user's inventory, becomes a transport."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from edgekit import plugins
from edgekit.devices.inventory import Book
from edgekit.devices.transport import Transport
from edgekit.errors import OptionError, suggest


@dataclass(frozen=True)
class Destination:
    """A device by name and URL, before a connection."""

    name: str
    """Text of the option: the name, or the URL."""
    url: str
    target: str | None = None
    """Target, or family of targets, that the inventory has for it; None if it has none."""


def destination(device: str) -> Destination:
    """Resolve a URL `scheme://…`, or a name in the inventory.

    Raises OptionError if the text is neither, UnknownName if nothing registers for its scheme, SpecError if
    devices.toml is wrong.
    """
    if "://" in device:
        resolved = Destination(device, device)
    else:
        entries = Book.of_user().entries()
        if device not in entries:
            urls = [f"{name}://" for name in plugins.names("transports")]
            otherwise = f"a URL: {', '.join(urls)}; or a name: edgekit device list"
            raise OptionError(f"'{device}' is no device", hint=suggest(device, [*entries, *urls], otherwise))
        resolved = Destination(device, entries[device].url, entries[device].target)
    way_to(resolved.url)
    return resolved


def destinations(devices: Sequence[str], groups: Sequence[str] = ()) -> tuple[Destination, ...]:
    """Resolve the devices, and those in the groups: each URL once, under the first name that it has here.

    Raises what `destination` does, and UnknownName for a group without devices.
    """
    members = [member for group in groups for member in Book.of_user().members(group)]
    resolved: dict[str, Destination] = {}
    for device in map(destination, (*devices, *members)):
        resolved.setdefault(device.url, device)
    return tuple(resolved.values())


def way_to(url: str) -> Transport:
    """Make the transport of a URL, not opened. Raises UnknownName for its scheme, OptionError for the rest of it."""
    way: Transport = plugins.load("transports", url.partition("://")[0])(url)
    return way


@contextlib.contextmanager
def connect(device: str) -> Iterator[Transport]:
    """Open the transport of a URL or name. Raises what `destination` does; Unreachable without an answer."""
    with way_to(destination(device).url) as transport:
        yield transport
