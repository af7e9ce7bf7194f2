"""What the text after `--device` means: a URL, or the name of a device in the user's book."""

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
    """A device that is not reached yet."""

    name: str
    """As it was asked for."""
    url: str
    target: str | None = None
    """Which board it is, or which family of boards; None if nobody said."""


def destination(device: str) -> Destination:
    """The device that a URL `scheme://…`, or a name, means.

    Raises OptionError if the text is neither, UnknownName if nothing registers for its scheme, SpecError if the book
    of devices is wrong.
    """
    if "://" in device:
        found = Destination(device, device)
    else:
        entries = Book.of_user().entries()
        if device not in entries:
            urls = [f"{name}://" for name in plugins.names("transports")]
            otherwise = f"a URL: {', '.join(urls)}; or a name: edgekit device list"
            raise OptionError(f"'{device}' is no device", hint=suggest(device, [*entries, *urls], otherwise))
        found = Destination(device, entries[device].url, entries[device].target)
    way_to(found.url)
    return found


def destinations(devices: Sequence[str], groups: Sequence[str] = ()) -> tuple[Destination, ...]:
    """The devices, and those in the groups, each once however often and by whatever name it was asked for.

    Raises what `destination` does, and UnknownName for a group that nobody is in.
    """
    members = [member for group in groups for member in Book.of_user().members(group)]
    found: dict[str, Destination] = {}
    for device in map(destination, (*devices, *members)):
        found.setdefault(device.url, device)
    return tuple(found.values())


def way_to(url: str) -> Transport:
    """The way to the device at a URL, not opened. Raises UnknownName for its scheme, OptionError for the rest of it."""
    way: Transport = plugins.load("transports", url.partition("://")[0])(url)
    return way


@contextlib.contextmanager
def connect(device: str) -> Iterator[Transport]:
    """An open way to the device of that URL or name. Raises what `destination` does; Unreachable if none answers."""
    with way_to(destination(device).url) as transport:
        yield transport
