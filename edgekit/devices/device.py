"""What the text after `--device` means."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from edgekit import plugins
from edgekit.devices.transport import Transport
from edgekit.errors import OptionError, suggest


@contextlib.contextmanager
def connect(device: str) -> Iterator[Transport]:
    """An open way to the device at the URL `scheme://…`.

    Raises OptionError if the text is no URL, UnknownName if nothing registers for its scheme, Unreachable if there is
    no answer.
    """
    scheme, separator, _ = device.partition("://")
    if not separator:
        urls = [f"{name}://" for name in plugins.names("transports")]
        raise OptionError(f"'{device}' is no device", hint=suggest(device, urls, f"a URL: {', '.join(urls)}"))
    with plugins.load("transports", scheme)(device) as transport:
        yield transport
