"""`keys`: the keys that sign bundles, and those that are trusted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from edgekit.api import bundles
from edgekit.api.keys import list_keys
from edgekit.bundle import agent
from edgekit.bundle.key_uri import SCHEMES, is_uri
from edgekit.bundle.keys import KeyStore
from edgekit.cli import options, passphrase
from edgekit.cli.output import note, print_json, print_table, say
from edgekit.errors import KeyUnreachable, OptionError
from edgekit.export.pair_store import PairStore

keys = typer.Typer(help="The keys that sign bundles, and those you trust.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(keys, name="keys")


@keys.command("new")
def new_key(
    name: Annotated[str, typer.Argument(help="What to call it.")] = "default",
    encrypt: Annotated[bool, typer.Option("--encrypt", help="Lock it by a passphrase, asked for as it signs.")] = False,
    p256: Annotated[
        bool, typer.Option("--p256", help="On the curve P-256, for `export --oms`; other keys sign bundles.")
    ] = False,
    json: options.Json = False,
) -> None:
    """Make a key pair. The private half never leaves your config folder; hand out the public one."""
    locked = passphrase.ask_new(name) if encrypt else None
    if p256:
        pair = PairStore.of_user().new(name, locked)
        _say_made(name, pair.id, pair.public, json)
        return
    store = KeyStore.of_user()
    _say_made(name, store.new(name, locked).id, store.root / f"{name}.pub", json)


def _say_made(name: str, id: str, public: Path, json: bool) -> None:
    if json:
        print_json({"schema": 1, "name": name, "id": id, "public": str(public)})
    else:
        say(f"{name} {id} {public}")


@keys.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    uri: Annotated[str, typer.Argument(metavar="URI", help="agent:COMMENT, or pkcs11:token=…;object=….")],
    json: options.Json = False,
) -> None:
    """Give a name to a key that lies in your SSH agent or in a token. Its private half stays there."""
    if not is_uri(uri):
        raise OptionError(f"'{uri}' is no URI of a key", hint=f"one that begins with {' or '.join(SCHEMES)}")
    store = KeyStore.of_user(passphrase.ask)
    _say_made(name, store.add(name, uri).id, store.root / f"{name}.pub", json)


@keys.command("list")
def list_command(json: options.Json = False) -> None:
    """List your own keys, where the private half of each lies, those in your SSH agent, and those you trust."""
    rows: list[tuple[str, str, str, str]] = [
        (key.name, key.id, key.state, key.location) for key in list_keys(KeyStore.of_user(), _agent_keys())
    ]
    rows += [(pair.name, pair.id, "own, for export --oms", pair.location) for pair in PairStore.of_user().list()]
    if json:
        named = ("name", "id", "state", "location")
        print_json({"schema": 1, "keys": [dict(zip(named, row, strict=True)) for row in rows]})
        return
    if not rows:
        note("no keys yet: `edgekit keys new`, or the first build makes 'default'")
        return
    print_table(("name", "key", "", "lies in"), rows)


def _agent_keys() -> tuple[agent.AgentKey, ...]:
    """List the keys of the SSH agent, if there is one. One that does not answer is reported in a note."""
    if not os.environ.get("SSH_AUTH_SOCK"):
        return ()
    try:
        return agent.agent_keys(limit_s=2)
    except KeyUnreachable as error:
        note(str(error))
        return ()


@keys.command("sign")
def sign_bundle(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .edgekit file.")],
    key: options.Key = "default",
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="ID", help="Keep this signature, though its key is not yours.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Add a signature to a bundle, beside those by keys that you trust; those by others are dropped, and named."""
    signed, dropped = bundles.sign_bundle(bundle, key, keep or (), passphrase.ask)
    for one in dropped:
        note(f"dropped a signature by {one}, which is not among your keys; in a fresh copy, --keep {one} keeps it")
    signers = [one.id for one in signed.signers]
    if json:
        print_json({"schema": 1, "bundle": str(bundle), "signers": signers, "dropped": list(dropped)})
    else:
        say(f"{bundle} is signed by {', '.join(signers)}")


@keys.command("trust")
def trust_key(
    file: Annotated[Path, typer.Argument(help="A public key in PEM: NAME.pub.")], json: options.Json = False
) -> None:
    """Accept bundles that this key signed."""
    trusted = KeyStore.of_user().trust(file).id
    if json:
        print_json({"schema": 1, "trusted": trusted})
    else:
        say(f"trusted {trusted}")


@keys.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(metavar="NAME|ID", help="One of yours, or as `list` shows it.")],
    json: options.Json = False,
) -> None:
    """Never again open what this key signed, nor sign with it. Devices are told by `device trust --revoke`."""
    revoked = KeyStore.of_user().revoke(key)
    if json:
        print_json({"schema": 1, "revoked": revoked})
        return
    say(f"revoked {revoked}; each device that trusts it: edgekit device trust DEVICE --revoke {revoked}")
