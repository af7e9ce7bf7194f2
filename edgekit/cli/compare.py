"""`compare`: two measurements of the same samples."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edgekit.api.results import compare
from edgekit.cli import options
from edgekit.cli.output import print_json, print_table
from edgekit.errors import DataError, UsageError
from edgekit.measure import store
from edgekit.parity.comparison import Comparison
from edgekit.parity.endpoint_record import EndpointRecord
from edgekit.specs.project import Project


def register(app: typer.Typer) -> None:
    app.command("compare")(compare_command)


def compare_command(
    reference: Annotated[Path, typer.Argument(help="A measurement: NAME.json beside NAME.npz.")],
    candidate: Annotated[Path, typer.Argument(help="Another one, of the same samples.")],
    task: Annotated[str | None, typer.Option("--task", help="What the model does; default: classification.")] = None,
    project: Annotated[
        Path | None, typer.Option("--project", metavar="DIR", help="Project whose task and its options hold.")
    ] = None,
    json: options.Json = False,
) -> None:
    """Compare two measurements of the same samples, pair by pair."""
    if task and project:
        raise UsageError("--task and --project were both given", hint="give one of them")
    meaning = Project.read(project) if project else task or "classification"
    try:
        rows = _summary(compare(store.load(reference), store.load(candidate), task=meaning))
    except DataError as error:
        if task or project:
            raise
        hints = [*([error.hint] if error.hint else []), "read as classification; --project DIR says another task"]
        raise DataError(str(error), hint="; ".join(hints)) from error
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


def _summary(comparison: Comparison) -> dict[str, float | int | str | None]:
    drop = comparison.drop_at(0.95)
    return {
        "metric": comparison.metric.name,
        "samples": comparison.samples,
        "reference": _value(comparison.reference),
        "candidate": _value(comparison.candidate),
        "accuracy_drop": comparison.accuracy_drop,
        "accuracy_drop_low": drop.low if drop else None,
        "accuracy_drop_high": drop.high if drop else None,
        "agreement": comparison.agreement,
        "reference_only": comparison.reference_only,
        "candidate_only": comparison.candidate_only,
        "mcnemar_p": comparison.mcnemar_p,
        "sqnr_db": comparison.sqnr_db if abs(comparison.sqnr_db) != float("inf") else None,
        "reference_p50_ns": comparison.reference.latency.p50_ns,
        "candidate_p50_ns": comparison.candidate.latency.p50_ns,
    }


def _value(side: EndpointRecord) -> float | None:
    return side.score.value if side.score else None
