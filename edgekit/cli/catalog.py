"""`targets`, `profiles`, `keys`, `explain`: what there is, and what it means."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Annotated

import typer

from edgekit.bundle.archive import Bundle, sign
from edgekit.bundle.keys import KeyStore
from edgekit.cli import options
from edgekit.cli.output import note, print_json, print_table, say, say_lines
from edgekit.errors import UnknownName, all_errors, suggest
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
def new_key(name: Annotated[str, typer.Argument(help="What to call it.")] = "default") -> None:
    """Make a key pair. The private half never leaves your config folder; hand out the public one."""
    store = KeyStore.of_user()
    key = store.new(name)
    say(f"{name} {key.id} {store.root / name}.pub")


@keys.command("list")
def list_keys() -> None:
    """List your own keys and those you trust."""
    store = KeyStore.of_user()
    own, revoked = store.list(), store.revoked()
    rows = [(name, key.id, "revoked" if key.id in revoked else "own") for name, key in own.items()]
    rows += [("", key.id, "trusted") for key in store.trusted() if key not in own.values()]
    rows += [("", one, "revoked") for one in sorted(revoked - {key.id for key in own.values()})]
    if not rows:
        note("no keys yet: `edgekit keys new`, or the first build makes 'default'")
        return
    print_table(("name", "key", ""), rows)


@keys.command("sign")
def sign_bundle(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .edgekit file.")],
    key: Annotated[str, typer.Option("--key", metavar="NAME", help="Which of your keys signs.")] = "default",
) -> None:
    """Add a signature to a bundle, beside those that it has."""
    store = KeyStore.of_user()
    trusted = store.trusted()
    signed = sign(Bundle.open(bundle, trusted), store.get(key), trusted)
    say(f"{bundle} is signed by {', '.join(one.id for one in signed.signers)}")


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
