"""`inspect`: the contents of a bundle, once it is verified."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.api.bundles import open_bundle
from edgekit.bundle.archive import Bundle
from edgekit.cli import options
from edgekit.cli.output import print_json, print_table
from edgekit.ir.artifact import Operator, Placement
from edgekit.ir.plural import counted
from edgekit.parity.data.card import HEADER
from edgekit.parity.data.governance import set_rows
from edgekit.pipeline.stages.data_card import read_card

CLASSES = 8
"""Number of classes that are shown in a line."""


def register(app: typer.Typer) -> None:
    app.command("inspect")(inspect_command)


def inspect_command(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .edgekit file.")],
    placement: Annotated[bool, typer.Option("--placement", help="Every operator, and who runs it.")] = False,
    json: options.Json = False,
) -> None:
    """Verify a bundle, and say what is in it."""
    opened = open_bundle(bundle)
    manifest = opened.manifest
    if json:
        values = manifest.model_dump(mode="json", by_alias=True)
        signers = {"signer": opened.signer, "signers": [key.id for key in opened.signers]}
        digests = {"digest": opened.digest, "file_sha256": opened.file_sha256, **signers}
        # Anybody can add a signature to a bundle: the unknown ones were not checked.
        unknown = {"unknown_signers": list(opened.unknown_signers), "manifest": values}
        card = read_card(opened)
        shown = {"data_card": card.model_dump(mode="json", by_alias=True)} if card else {}
        print_json({"schema": 1, **digests, **unknown, **shown})
        return
    print_table(("bundle", bundle.name), _rows(opened))
    card = read_card(opened)
    if card:
        print_table(HEADER, [set_rows(each) for each in card.sets])
        print_table(("data card", ""), card.notes)
    if placement:
        operators = [
            (
                op.name,
                op.delegate or "fell back",
                "integer" if op.integer else "float",
                f"{op.macs:,}",
                _bytes(op),
                op.module,
            )
            for op in manifest.placement
        ]
        print_table(("operator", "runs on", "arithmetic", "MACs", "bytes", "module"), operators)


def _rows(opened: Bundle) -> list[tuple[str, str]]:
    manifest, facts = opened.manifest, opened.manifest.facts
    return [
        ("model", f"{manifest.name} ({manifest.task}), {manifest.precision}"),
        *_classes(manifest.classes),
        ("for", f"{manifest.target} ({manifest.family}, {manifest.arch}), profile {manifest.profile}"),
        ("runs on", f"{manifest.backend}: {', '.join(manifest.delegates)}"),
        *(("takes", str(spec)) for spec in manifest.signature.inputs),
        *((f"'{name}' is made of", each.words) for name, each in manifest.processing.items()),
        *(("gives", str(spec)) for spec in manifest.signature.outputs),
        *(("state", f"{pair.input} is {pair.output} of the step before") for pair in manifest.signature.state),
        ("size", f"{facts.size_bytes:,} bytes, {facts.size_bytes / facts.float_size_bytes:.2f} of float32"),
        ("work", f"{facts.macs:,} multiply-accumulates, {facts.integer_macs_share:.1%} on integers"),
        ("placement", f"{facts.delegated_share:.1%} of the arithmetic delegated, {facts.fallback_share:.1%} fell back"),
        *_fallback(Placement(manifest.placement)),
        ("", facts.placement_basis),
        *(("pass", f"{step.name}: {', '.join(f'{k} {v}' for k, v in step.options if v)}") for step in manifest.history),
        *(("data", f"{data.role}: {data.source}; licence: {data.licence}") for data in manifest.data),
        *(("file", f"{file.path}  {file.bytes:,} bytes  {file.sha256[:16]}") for file in manifest.files),
        ("signed by", f"{', '.join(key.id for key in opened.signers)}, verified"),
        *(("", f"{one}: not among your keys, not checked") for one in opened.unknown_signers),
        ("version", f"{manifest.version}; none below {manifest.floor} afterwards"),
        *([("install until", manifest.expires)] if manifest.expires else []),
        ("digest", opened.digest),
        ("sha256 of the file", opened.file_sha256),
    ]


def _classes(classes: tuple[str, ...]) -> list[tuple[str, str]]:
    """Rows of the classes in the order of the scores, numbered, some to a line; none for a model without."""
    named = [f"{number} {name}" for number, name in enumerate(classes)]
    lines = [", ".join(named[first : first + CLASSES]) for first in range(0, len(named), CLASSES)]
    return [(f"{counted(len(classes), 'class')}" if number == 0 else "", line) for number, line in enumerate(lines)]


def _bytes(operator: Operator) -> str:
    return "-" if operator.bytes is None else f"{operator.bytes:,}"


def _fallback(placement: Placement) -> list[tuple[str, str]]:
    """Row of the operators that fell back, and the bytes that they move; none for a bundle that counts no bytes."""
    if placement.fallback_bytes is None:
        return []
    count = sum(operator.delegate is None for operator in placement.operators)
    moved = f"{placement.fallback_bytes:.1%} of the bytes moved"
    return [("", f"{count:,} of {counted(len(placement.operators), 'operator')} fell back, with {moved}")]
