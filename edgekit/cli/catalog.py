"""`targets`, `profiles`, `keys`, `explain`: what there is, and what it means."""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from edgekit.bundle import agent
from edgekit.bundle.archive import Bundle, sign
from edgekit.bundle.key_uri import SCHEMES, is_uri
from edgekit.bundle.keys import KeyStore
from edgekit.bundle.signing import PublicKey
from edgekit.cli import options, passphrase
from edgekit.cli.output import note, print_json, print_table, say, say_lines
from edgekit.errors import KeyUnreachable, OptionError, UnknownName, UntrustedKey, all_errors, suggest
from edgekit.specs.catalog import Catalog

Family = Annotated[str | None, typer.Option("--family", metavar="F", help="Only of this family.")]

targets = typer.Typer(help="The hardware there is to build for.", invoke_without_command=True)
profiles = typer.Typer(help="The recipes of compression and gates.", invoke_without_command=True)
keys = typer.Typer(help="The keys that sign bundles, and those you trust.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.add_typer(targets, name="targets")
    app.add_typer(profiles, name="profiles")
    app.add_typer(keys, name="keys")
    app.command()(explain)


@targets.callback()
def list_targets(context: typer.Context, family: Family = None, json: options.Json = False) -> None:
    """List the targets; `show ID` prints one."""
    if context.invoked_subcommand:
        return
    found = [target for target in Catalog.default().targets() if family in (None, target.family)]
    if json:
        print_json({"schema": 1, "targets": [target.model_dump(mode="json", by_alias=True) for target in found]})
        return
    rows = [
        (t.id, t.family + (" (default)" if t.default else ""), t.title, " ".join(r.backend for r in t.runtime))
        for t in found
    ]
    print_table(("target", "family", "title", "backends"), rows)


@targets.command("show")
def show_target(target: str) -> None:
    """Print one target, or a family's default board, as JSON."""
    print_json(Catalog.default().target(target).model_dump(mode="json", by_alias=True, exclude_none=True))


@profiles.callback()
def list_profiles(context: typer.Context, family: Family = None, json: options.Json = False) -> None:
    """List the profiles; `show ID` prints one."""
    if context.invoked_subcommand:
        return
    found = [profile for profile in Catalog.default().profiles() if family is None or family in profile.families]
    if json:
        print_json({"schema": 1, "profiles": [profile.model_dump(mode="json", by_alias=True) for profile in found]})
        return
    print_table(("profile", "families", "summary"), [(p.id, " ".join(p.families), p.summary) for p in found])


@profiles.command("show")
def show_profile(profile: str) -> None:
    """Print one profile as JSON."""
    print_json(Catalog.default().profile(profile).model_dump(mode="json", by_alias=True, exclude_none=True))


@keys.command("new")
def new_key(
    name: Annotated[str, typer.Argument(help="What to call it.")] = "default",
    encrypt: Annotated[bool, typer.Option("--encrypt", help="Lock it by a passphrase, asked for as it signs.")] = False,
) -> None:
    """Make a key pair. The private half never leaves your config folder; hand out the public one."""
    store = KeyStore.of_user()
    key = store.new(name, passphrase.ask_new(name) if encrypt else None)
    say(f"{name} {key.id} {store.root / name}.pub")


@keys.command("add")
def add_key(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    uri: Annotated[str, typer.Argument(metavar="URI", help="agent:COMMENT, or pkcs11:token=…;object=….")],
) -> None:
    """Give a name to a key that lies in your SSH agent or in a token. Its private half stays there."""
    if not is_uri(uri):
        raise OptionError(f"'{uri}' is no URI of a key", hint=f"one that begins with {' or '.join(SCHEMES)}")
    store = KeyStore.of_user(passphrase.ask)
    say(f"{name} {store.add(name, uri).id} {store.root / name}.pub")


@keys.command("list")
def list_keys() -> None:
    """List your own keys, where the private half of each lies, those in your SSH agent, and those you trust."""
    store = KeyStore.of_user()
    own, revoked = store.list(), store.revoked()
    held = {key.public: f"{agent.SCHEME}{key.comment}" for key in _agent_keys()}
    rows = [
        (name, key.id, "revoked" if key.id in revoked else "own", store.location(name)) for name, key in own.items()
    ]
    others = [key for key in store.trusted() if key not in own.values()]
    rows += [("", key.id, "trusted", held.get(key, "")) for key in others]
    rows += [("", one, "revoked", "") for one in sorted(revoked - {key.id for key in own.values()})]
    rows += [("", key.id, "not used yet", uri) for key, uri in held.items() if key.id not in {row[1] for row in rows}]
    if not rows:
        note("no keys yet: `edgekit keys new`, or the first build makes 'default'")
        return
    print_table(("name", "key", "", "lies in"), rows)


def _agent_keys() -> tuple[agent.AgentKey, ...]:
    """None if there is no agent; one that does not answer is told."""
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
) -> None:
    """Add a signature to a bundle, beside those by keys that you trust; those by others are dropped, and named."""
    store = KeyStore.of_user(passphrase.ask)
    trusted, kept = store.trusted(), keep or ()
    signer = store.get(key)
    opened = _opened(bundle, signer.public, trusted)
    dropped = [one for one in opened.unknown_signers if one not in (*kept, signer.id)]
    unknown = [one for one in kept if one not in (*opened.unknown_signers, *(known.id for known in opened.signers))]
    if unknown:
        raise OptionError(f"--keep: '{bundle}' is not signed by {unknown[0]}", hint=f"edgekit inspect {bundle}")
    signed = sign(opened, signer, trusted, kept)
    for one in dropped:
        note(f"dropped a signature by {one}, which is not among your keys; in a fresh copy, --keep {one} keeps it")
    say(f"{bundle} is signed by {', '.join(one.id for one in signed.signers)}")


def _opened(path: Path, signer: PublicKey, trusted: Sequence[PublicKey]) -> Bundle:
    """The bundle as the others signed it: what somebody wrote there in the signer's name is about to be replaced."""
    try:
        return Bundle.open(path, [key for key in trusted if key != signer])
    except UntrustedKey:
        return Bundle.open(path, trusted)


@keys.command("trust")
def trust_key(file: Annotated[Path, typer.Argument(help="A public key in PEM: NAME.pub.")]) -> None:
    """Accept bundles that this key signed."""
    say(f"trusted {KeyStore.of_user().trust(file).id}")


@keys.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(metavar="NAME|ID", help="One of yours, or as `list` shows it.")],
) -> None:
    """Never again open what this key signed, nor sign with it. Devices are told by `device trust --revoke`."""
    revoked = KeyStore.of_user().revoke(key)
    say(f"revoked {revoked}; each device that trusts it: edgekit device trust DEVICE --revoke {revoked}")


def explain(code: Annotated[str, typer.Argument(help="An error's code, such as EK105.")]) -> None:
    """Say what an error code means."""
    known = {kind.code: kind for kind in all_errors()}
    if code.upper() not in known:
        raise UnknownName(
            f"no error has the code '{code}'", hint=suggest(code.upper(), known, f"they run from EK100 to {max(known)}")
        )
    kind = known[code.upper()]
    say_lines(f"{kind.code} {kind.__name__} (exit {kind.exit_code})\n{inspect.cleandoc(kind.__doc__ or '')}\n")
