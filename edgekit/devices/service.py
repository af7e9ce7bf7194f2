"""The server of a device, as a service: it answers applications there by the model that is committed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from edgekit.client import edgekit_client
from edgekit.devices.packs.equip import any_python
from edgekit.devices.protocol import Answer
from edgekit.devices.runner_client import Runner
from edgekit.devices.runner_install import install_runner
from edgekit.devices.transport import Transport
from edgekit.errors import DeviceError

START_S, STOP_S = 300.0, 60.0
CLIENT, TOKEN = PurePosixPath("client", "edgekit_client.py"), "serve.token"


class Serving(Answer):
    """Server of a device that has started."""

    addresses: tuple[str, ...]
    """Addresses on the device: `unix:PATH`, `http://HOST:PORT`."""
    unit: str | None
    """File of its systemd unit; None if it runs in the background until the device is restarted."""
    at_boot: bool
    """True if it starts at every boot."""
    python: tuple[str, ...]
    """Command line of a Python on the device that runs the model in an application's own process."""


class Stopped(Answer):
    """Answer about a server that was ended."""

    changed: bool
    """False if there was none."""


@dataclass(frozen=True)
class ServiceOptions:
    """Options of a server; None is the runner's own default."""

    address: str | None = None
    """`HOST:PORT` beside the Unix socket; one that other machines reach needs a token."""
    token: Path | None = None
    """File on this machine with the token that clients must show."""
    workers: int | None = None
    """Processes that hold the model; one a core by default."""
    threads: int | None = None
    """Threads of one inference."""
    queue: int | None = None
    """Requests that may wait."""
    at_boot: bool = False
    """True for a systemd unit, which serves after every boot, too."""

    @property
    def argv(self) -> list[str]:
        """Options of the runner's verb."""
        named = {"address": self.address, "workers": self.workers, "threads": self.threads, "queue": self.queue}
        return [f"--option=--{name}={value}" for name, value in named.items() if value is not None]


def start_service(device: Transport, options: ServiceOptions) -> tuple[Serving, PurePosixPath]:
    """Start the server of a device in place of the one that runs, and put the client library there.

    Returns its addresses once its model answers, and the path of the library on the device. Raises DeviceError if
    nothing is installed; CommandFailed if nothing is committed, an address cannot be listened on, or the model does
    not load.
    """
    runner = _runner(device)
    client = device.root / CLIENT
    device.push(Path(edgekit_client.__file__), client)
    argv = ["service", device.root, *options.argv, *(["--boot"] if options.at_boot else [])]
    if options.token is not None:
        device.push(options.token, device.root / TOKEN)
        argv += ["--token-file", device.root / TOKEN]
    return runner.ask(Serving, *argv, timeout=START_S), client


def stop_service(device: Transport) -> bool:
    """End the server of a device and its unit; False if there was neither. Raises DeviceError, CommandFailed."""
    return _runner(device).ask(Stopped, "service", device.root, "--stop", timeout=STOP_S).changed


def _runner(device: Transport) -> Runner:
    interpreter = any_python(device)
    if interpreter is None:
        raise DeviceError(f"{device.url}: nothing is installed", hint=f"edgekit flash BUNDLE --device {device.url}")
    return install_runner(device, interpreter)
