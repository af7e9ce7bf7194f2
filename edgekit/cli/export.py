"""`export`: the bare model of a bundle, with its contract inside, for programs without edgekit."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from edgekit.api.exports import ExportedModel, export_model, select_bundle, signing_pair
from edgekit.cli import options, passphrase
from edgekit.cli.output import note, print_json, say
from edgekit.errors import OptionError
from edgekit.export.signing_pair import SIGNATURE
from edgekit.ir.artifact import Format


def register(app: typer.Typer) -> None:
    app.command("export")(export_command)


def export_command(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .edgekit file, or a folder of builds.")],
    format: Annotated[
        Format | None, typer.Option("--format", help="Which model, where a folder has several; else refuse another.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="A folder that is not there yet; default: NAME-export.")
    ] = None,
    oms: Annotated[
        bool, typer.Option("--oms", help="Sign the folder as OpenSSF Model Signing 1.0 has it: model.sig.")
    ] = False,
    oms_key: Annotated[
        str | None,
        typer.Option("--oms-key", metavar="NAME|FILE", help="With --oms: a key of `keys new --p256`, or a PEM file."),
    ] = None,
    hf: Annotated[bool, typer.Option("--hf", help="As a folder of the Hugging Face Hub, with a model card.")] = False,
    json: options.Json = False,
) -> None:
    """Write the bare model of a trusted bundle, with labels, a README with programs, and golden vectors.

    The contract (preprocessing, labels, lineage, digest of the bundle) lies in the model's file: docs/export.md.
    """
    if oms_key and not oms:
        raise OptionError("--oms-key was given without --oms", hint="add --oms")
    opened = select_bundle(bundle, format)
    pair, public, is_new = signing_pair(oms_key, passphrase.ask) if oms else (None, None, False)
    if is_new:
        note(f"made your key for model signing; hand out its public half, {public}")
    exported = export_model(opened, out, pair, hf)
    verify = _verification(exported, public or "PUBLIC.pem") if pair else None
    if json:
        signed = {"signature": str(exported.folder / SIGNATURE), "verify": verify} if verify else {}
        contract = exported.contract.model_dump(mode="json", by_alias=True)
        print_json({"schema": 1, "folder": str(exported.folder), **signed, "contract": contract})
        return
    say(
        f"{exported.folder / exported.contract.files[0]} is the model of {opened.manifest.name}, bundle {opened.digest}"
    )
    say(f"read {exported.folder / 'README.md'}: inputs, outputs, and programs that run it")
    if verify:
        say(f"verify: {verify}")


def _verification(exported: ExportedModel, public: Path | str) -> str:
    """Command of the public tool that verifies the folder."""
    folder = exported.folder
    argv = ("verify", "key", folder, "--signature", folder / SIGNATURE, "--public_key", public)
    return f"model_signing {shlex.join(map(str, argv))}"
