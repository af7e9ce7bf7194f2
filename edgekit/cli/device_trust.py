"""`device trust`: a device's host key, trusted on first use (TOFU) or by fingerprint, and whose bundles it takes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from edgekit.api.host_keys import offered_host_key
from edgekit.bundle.keys import KeyStore
from edgekit.cli import completion, options, passphrase
from edgekit.cli.output import note, print_json, print_table, progress, say
from edgekit.cli.slot_table import refused_remarks
from edgekit.devices.device import connect, destination
from edgekit.devices.flash import trust
from edgekit.devices.protocol import Trusted
from edgekit.errors import OptionError


def trust_command(
    device: options.DeviceArgument,
    fingerprint: Annotated[
        str | None, typer.Option("--fingerprint", metavar="SHA256:…", help="Trust this host key only, and ask nothing.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="In place of the host key that was known before.")] = False,
    key: Annotated[
        list[str] | None, typer.Option("--key", metavar="NAME|FILE.pub", help="It takes what this key signed.")
    ] = None,
    revoke: Annotated[
        list[str] | None, typer.Option("--revoke", metavar="ID", help="Never again what this one signed.")
    ] = None,
    threshold: Annotated[int | None, typer.Option("--threshold", min=1, help="So many keys must have signed.")] = None,
    target: Annotated[
        str | None,
        typer.Option("--target", metavar="ID|FAMILY", help="It is this board.", autocompletion=completion.targets),
    ] = None,
    floor: Annotated[int | None, typer.Option("--floor", min=0, help="No version below this.")] = None,
    lower_floor: Annotated[bool, typer.Option("--lower-floor", help="The floor may fall.")] = False,
    json: options.Json = False,
) -> None:
    """Vouch for a device: from now on it is the one that shows this host key. With --key, --revoke, --threshold,
    --target or --floor, say on the device itself which bundles it takes.

    Compare the fingerprint with what the device itself says: `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`.
    """
    of_bundles = bool(key or revoke or target or lower_floor) or threshold is not None or floor is not None
    if not of_bundles:
        _host_key(destination(device).url, fingerprint, replace)
        return
    if fingerprint or replace:
        raise OptionError("host keys and signing keys are two steps", hint=f"edgekit device trust {device}, first")
    store = KeyStore.of_user(passphrase.ask)
    pinned = [store.public(name) for name in key or ()]
    with progress(f"trust {device}"), connect(device) as transport:
        trusted = trust(transport, pinned, revoke or (), threshold, target, floor, lower_floor)
    _show(device, trusted, json)


def _host_key(url: str, fingerprint: str | None, replace: bool) -> None:
    offer = offered_host_key(url)
    for known in offer.known:
        note(f"known so far: {known.fingerprint}")
    if fingerprint is None:
        say(f"{url} shows {offer.key.kind} {offer.key.fingerprint}")
        if not sys.stdin.isatty():
            raise OptionError("nobody is here to ask", hint=f"edgekit device trust {url} --fingerprint SHA256:…")
        typer.confirm("Is that what the device itself says?", abort=True)
    else:
        offer.check(fingerprint)
    offer.trust(replace=replace)
    say(f"{offer.key.name} is trusted: {offer.key.fingerprint}")


def _show(device: str, trusted: Trusted, json: bool) -> None:
    if json:
        print_json({"schema": 1, "device": device, "trust": trusted.model_dump(mode="json")})
        return
    rows = [("takes what was signed by", key.id) for key in trusted.keys]
    rows += [("never what was signed by", name) for name in trusted.revoked]
    rows += [
        ("so many must have signed", str(trusted.threshold)),
        ("built for", trusted.target or "any board of its kind"),
        ("version at least", str(trusted.floor)),
    ]
    print_table((device, ""), rows)
    for line in refused_remarks(device, trusted.model_dump(mode="json")):
        note(line)
