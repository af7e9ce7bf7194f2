"""`compare`, `report`, `inspect`: reading what was measured and built."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit import plugins
from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.cli import options
from edgekit.cli.output import print_json, print_table, say_lines
from edgekit.errors import DataError, OptionError
from edgekit.measure import store
from edgekit.parity.compare import Comparison, compare
from edgekit.pipeline.verdict import FORMS
from edgekit.report.report import read_reports

FORMATS = {ending.removeprefix("."): render for ending, render in FORMS.items()}


def register(app: typer.Typer) -> None:
    app.command("compare")(compare_command)
    app.command("report")(report_command)
    app.command("inspect")(inspect_command)


def compare_command(
    reference: Annotated[Path, typer.Argument(help="A measurement: NAME.json beside NAME.npz.")],
    candidate: Annotated[Path, typer.Argument(help="Another one, of the same samples.")],
    task: Annotated[str, typer.Option("--task", help="What the model does: decides the metric.")] = "classification",
    json: options.Json = False,
) -> None:
    """Compare two measurements of the same samples, pair by pair."""
    metric = plugins.load("metrics", task)()
    rows = _summary(compare(store.load(reference), store.load(candidate), metric))
    if json:
        print_json({"schema": 1, "comparison": rows})
        return
    print_table(
        ("comparison", ""),
        [
            (name, f"{value:.6g}" if isinstance(value, float) else str(value))
            for name, value in rows.items()
            if value is not None
        ],
    )


def _summary(found: Comparison) -> dict[str, float | int | str | None]:
    drop = found.drop_at(0.95)
    return {
        "metric": found.metric,
        "samples": found.samples,
        "reference": found.reference.score.value,
        "candidate": found.candidate.score.value,
        "accuracy_drop": found.accuracy_drop,
        "accuracy_drop_low": drop.low,
        "accuracy_drop_high": drop.high,
        "agreement": found.agreement,
        "reference_only": found.reference_only,
        "candidate_only": found.candidate_only,
        "mcnemar_p": found.mcnemar_p,
        "sqnr_db": found.sqnr_db if abs(found.sqnr_db) != float("inf") else None,
        "reference_p50_ns": found.reference.latency.p50_ns,
        "candidate_p50_ns": found.candidate.latency.p50_ns,
    }


def report_command(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What a build or a run left.")],
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "txt",
) -> None:
    """Show the reports in a folder, and in the folders in it."""
    if form not in FORMATS:
        raise OptionError(f"no report is written as '{form}'", hint=f"one of {', '.join(FORMATS)}")
    files = [folder] if folder.is_file() else sorted({*folder.glob("report.json"), *folder.glob("*/report.json")})
    if not files:
        raise DataError(f"there is no report in '{folder}'", hint="edgekit build and edgekit run leave one in --out")
    reports = [report for file in files for report in read_reports(file)]
    say_lines(FORMATS[form](reports))


def inspect_command(
    bundle: Annotated[Path, typer.Argument(metavar="BUNDLE", help="A .edgekit file.")],
    placement: Annotated[bool, typer.Option("--placement", help="Every operator, and who runs it.")] = False,
    json: options.Json = False,
) -> None:
    """Verify a bundle, and say what is in it."""
    opened = Bundle.open(bundle, KeyStore.of_user().trusted())
    manifest = opened.manifest
    if json:
        values = manifest.model_dump(mode="json", by_alias=True)
        signers = {"signer": opened.signer, "signers": [key.id for key in opened.signers]}
        said = {"digest": opened.digest, "file_sha256": opened.file_sha256, **signers}
        # Anybody can add a line to a bundle: none of these was checked.
        print_json({"schema": 1, **said, "unknown_signers": list(opened.unknown_signers), "manifest": values})
        return
    facts = manifest.facts
    rows = [
        ("model", f"{manifest.name} ({manifest.task}), {manifest.precision}"),
        ("for", f"{manifest.target} ({manifest.family}, {manifest.arch}), profile {manifest.profile}"),
        ("runs on", f"{manifest.backend}: {', '.join(manifest.delegates)}"),
        *(("takes", str(spec)) for spec in manifest.signature.inputs),
        *(("gives", str(spec)) for spec in manifest.signature.outputs),
        ("size", f"{facts.size_bytes:,} bytes, {facts.size_bytes / facts.float_size_bytes:.2f} of float32"),
        ("work", f"{facts.macs:,} multiply-accumulates, {facts.integer_macs_share:.1%} on integers"),
        ("placement", f"{facts.delegated_share:.1%} delegated, {facts.fallback_share:.1%} fell back"),
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
    print_table(("bundle", bundle.name), rows)
    if placement:
        operators = [
            (op.name, op.delegate or "fell back", "integer" if op.integer else "float", f"{op.macs:,}")
            for op in manifest.placement
        ]
        print_table(("operator", "runs on", "arithmetic", "MACs"), operators)
