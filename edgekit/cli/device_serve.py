"""`device serve`: the committed model answers applications on the device."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import options
from edgekit.cli.output import note, print_json, progress, say
from edgekit.devices.device import connect
from edgekit.devices.service import ServiceOptions, start_service, stop_service
from edgekit.errors import OptionError


def serve_command(
    device: options.DeviceArgument,
    address: Annotated[
        str | None, typer.Option("--address", metavar="HOST:PORT", help="Beside the Unix socket; port 0: any.")
    ] = None,
    token: Annotated[
        Path | None,
        typer.Option("--token-file", metavar="FILE", help="Word that clients must show; needed beyond the device."),
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, metavar="N", help="Processes with the model; default: the cores.")
    ] = None,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, metavar="N", help="Of one inference; default: 1.")
    ] = None,
    queue: Annotated[
        int | None, typer.Option("--queue", min=1, metavar="N", help="Requests that may wait; default: 64.")
    ] = None,
    boot: Annotated[bool, typer.Option("--boot", help="Install a systemd unit: it starts at every boot.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End it, and remove its unit.")] = False,
    json: options.Json = False,
) -> None:
    """Serve the committed model to applications on the device, by the Open Inference Protocol.

    It listens on a Unix socket, follows every commit and rollback without losing a request, and takes a damaged model
    out. Called again, it starts anew with these options.
    """
    if token is not None and not token.is_file():
        raise OptionError(f"there is no file '{token}'", hint="openssl rand -hex 32 >FILE makes one")
    if stop:
        with progress(f"device serve {device}"), connect(device) as transport:
            changed = stop_service(transport)
        if json:
            print_json({"schema": 1, "device": device, "stopped": changed})
            return
        say(f"{device} serves no more" if changed else f"{device} has no server")
        return
    wanted = ServiceOptions(address, token, workers, threads, queue, boot)
    with progress(f"device serve {device}"), connect(device) as transport:
        serving, client = start_service(transport, wanted)
    if json:
        shown = {**serving.model_dump(mode="json"), "client": str(client)}
        print_json({"schema": 1, "device": device, **shown})
        return
    say(f"{device} serves at {' and '.join(serving.addresses)}")
    say(f"applications there copy {client}; in their own process by {' '.join(serving.python)}")
    if not serving.unit:
        note(f"until the device is restarted; to serve after that, too: edgekit device serve {device} --boot")
    elif not serving.at_boot:
        note("it ends with the last session of this user; on the device: sudo loginctl enable-linger $USER")
