"""`evidence`: the paper trail of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.api.bundles import open_bundle, signing_key
from edgekit.cli import options, passphrase
from edgekit.cli.output import note, print_json, say
from edgekit.errors import OptionError


def register(app: typer.Typer) -> None:
    app.command("evidence")(evidence_command)


def evidence_command(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .edgekit file.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Where the evidence goes.")],
    report: Annotated[
        Path | None,
        typer.Option("--report", metavar="FILE|DIR", help="Its report; default: report.json beside the bundle."),
    ] = None,
    history: Annotated[
        list[Path] | None,
        typer.Option("--history", metavar="FILE", help="What `edgekit history --json` printed: its incidents join."),
    ] = None,
    key: options.Key = "default",
    json: options.Json = False,
) -> None:
    """Write the paper trail of a bundle: model card, ML-BOM, signed provenance, and tables for three frameworks.

    Example: edgekit evidence out/net.edgekit --out evidence/
    """
    from edgekit.evidence.dossier import Dossier
    from edgekit.evidence.paper_trail import paper_trail, write_trail

    if out.exists() and not out.is_dir():
        raise OptionError(f"--out '{out}' is a file", hint="name a folder, which need not be there")
    dossier = Dossier.gather(open_bundle(bundle), report, history or ())
    signer, new = signing_key(key, passphrase.ask)
    if new:
        note(f"made your signing key 'default' ({signer.id}): `edgekit keys list`")
    files = paper_trail(dossier, signer)
    write_trail(files, out)
    if signer.id not in {each.id for each in dossier.bundle.signers}:
        note(f"the provenance is signed by {signer.id}, and the bundle by others")
    for each in dossier.histories:
        if not each.events:
            note(f"the history of '{each.device}' has {each.others:,} events, and none is of this bundle")
    if json:
        print_json({"schema": 1, "digest": dossier.bundle.digest, "out": str(out), "files": sorted(files)})
        return
    say(f"{len(files)} files on '{dossier.bundle.manifest.name}' ({dossier.bundle.digest[:12]}): {out / 'index.md'}")
