"""`verify-source`: weights that come signed, compared with their signature before they are used."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgekit.atomic import readable
from edgekit.attestation.ecdsa_key import MAX_PEM_BYTES, EcdsaPublicKey
from edgekit.attestation.model_source import verify_source
from edgekit.cli import options
from edgekit.cli.output import print_json, say
from edgekit.errors import UsageError


def register(app: typer.Typer) -> None:
    app.command("verify-source")(verify_source_command)


def verify_source_command(
    model: Annotated[Path, typer.Argument(metavar="FILE|DIR", help="Weights, or the folder that was signed.")],
    oms: Annotated[
        Path, typer.Option("--oms", metavar="SIGNATURE", help="Signature of OpenSSF Model Signing: model.sig.")
    ],
    key: Annotated[
        Path, typer.Option("--key", metavar="FILE", help="P-256 public key, in PEM, of whoever publishes the model.")
    ],
    json: options.Json = False,
) -> None:
    """Verify weights that come signed by OpenSSF Model Signing: every file, and no other. Nothing is fetched.

    Example: edgekit verify-source resnet/ --oms resnet/model.sig --key publisher.pem
    """
    if not key.is_file():
        raise UsageError(f"there is no key '{key}'", hint="--key names the publisher's public key, in PEM")
    with readable(key), key.open("rb") as file:
        public = EcdsaPublicKey.from_pem(file.read(MAX_PEM_BYTES), f"'{key}'")
    source = verify_source(model, oms, public)
    if json:
        print_json({"schema": 1, **asdict(source)})
        return
    files = "1 file" if source.files == 1 else f"{source.files:,} files"
    say(f"'{model}' is '{source.name}' as it was signed: {files}, {source.bytes:,} bytes")
    if source.others:
        say(f"  {source.others:,} more of the signed files were not looked at: give their folder to have them compared")
    say(f"  signed by the key {source.key_hint}")
    say(f"  digest of the model: {source.sha256}")
