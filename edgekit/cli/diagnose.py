"""`diagnose`: where int8 loses, why, and what to try next."""

from __future__ import annotations

import json as text
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from edgekit.api.build_session import diagnose_request, open_build_output
from edgekit.atomic import write as write_file
from edgekit.cache import Cache
from edgekit.cli import completion, options
from edgekit.cli.build_steps import title_of
from edgekit.cli.names import project_of
from edgekit.cli.output import note, print_json, print_table, progress, say
from edgekit.errors import OptionError
from edgekit.ir import layers as records
from edgekit.ir.layers import Layer
from edgekit.parity.diagnose import CHANNELS, OUTLIER, SATURATED, Diagnosis
from edgekit.parity.layer_texts import label
from edgekit.pipeline.build_output import BuildOutput
from edgekit.pipeline.diagnose import Examined
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.report import sqnr_bars
from edgekit.report.layer_table import LAYERS, LayerTable
from edgekit.specs.writing import to_toml
from edgekit.tasks.metric import SHARE

PLOTS = {".svg": sqnr_bars.svg, ".html": sqnr_bars.html}


def register(app: typer.Typer) -> None:
    app.command("diagnose")(diagnose_command)


def diagnose_command(
    built: Annotated[
        Path | None, typer.Argument(metavar="[DIR|BUNDLE]", help="What a build left; default: say it by options.")
    ] = None,
    project: options.Project = None,
    example: options.Example = None,
    target: Annotated[
        str | None,
        typer.Option(
            "--target",
            metavar="ID|FAMILY",
            help="A board, or a family's default board.",
            autocompletion=completion.targets,
        ),
    ] = None,
    backend: options.Backend = None,
    profile: options.Profile = None,
    overrides: options.Set = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Also draw the layers: .svg or .html.")
    ] = None,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="FILE.toml",
            help="Search the fewest layers to leave in float, and write the profile with them as overrides.",
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Say where int8 loses, layer by layer, why, and the one thing to try next.

    Exit 0 whatever is found.
    """
    if plot and plot.suffix not in PLOTS:
        raise OptionError(f"--plot '{plot}' has no known ending", hint=f"one of {', '.join(PLOTS)}")
    if write and write.suffix != ".toml":
        raise OptionError(f"--write '{write}' is no profile", hint="--write profiles/NAME.toml")
    output = open_build_output(built, target, backend, profile)
    request = diagnose_request(
        project_of(project, example, target, backend, profile), target, backend, profile, overrides or (), output
    )
    with progress(title_of(request.request)) as watch:
        examined = request.examine(write is not None, StageRunner(Cache.default().made(), watch))
    for warning in examined.warnings:
        note(f"warning: {warning}")
    # Only what is known to be of this very bundle lies beside its report.
    if output and built and built.is_dir() and not (overrides or examined.warnings):
        _keep(output, examined)
    if plot:
        title = examined.diagnosis.sentence
        write_file(plot, PLOTS[plot.suffix](title, examined.layers, examined.diagnosis.nodes).encode())
    if write:
        write_file(write, to_toml(examined.profile, frozenset({"id", "default"})).encode())
    if json:
        print_json(_document(examined))
        return
    _show(examined)


def _keep(output: BuildOutput, examined: Examined) -> None:
    """Leave the layers beside the report, whose page shows them; not in a folder that may not be written to."""
    table = LayerTable(
        schema_version=1,
        bundle=output.bundle.digest,
        sentence=examined.diagnosis.sentence,
        nodes=examined.diagnosis.nodes,
        layers=examined.layers,
    )
    folder = output.bundle.path.parent
    if os.access(folder, os.W_OK):
        write_file(folder / LAYERS, table.to_json().encode())


def _show(examined: Examined) -> None:
    diagnosis = examined.diagnosis
    for one in (examined.pruned, diagnosis):
        if one:
            _say(one)
    print_table(
        ("layer", "kind", "weights dB", "output dB", "alone dB", "network dB", "", ""),
        [_row(layer, layer.node in diagnosis.nodes) for layer in examined.layers],
    )
    if examined.search:
        say("")
        _show_search(examined)


def _say(diagnosis: Diagnosis) -> None:
    say(diagnosis.sentence)
    if diagnosis.next_step:
        say(f"next: {diagnosis.next_step}")
    for evidence in diagnosis.evidence[:6]:
        say(f"  {evidence}")
    say("")


def _row(layer: Layer, blamed: bool) -> tuple[str, ...]:
    numbers = (layer.weight_sqnr_db, layer.activation_sqnr_db, layer.output_sqnr_db, layer.cumulative_sqnr_db)
    picture = sqnr_bars.bar(layer.cumulative_sqnr_db)
    return (label(layer), layer.kind, *map(sqnr_bars.decibels, numbers), picture, _remarks(layer, blamed))


def _remarks(layer: Layer, blamed: bool) -> str:
    remarks = ["◀" if blamed else ""]
    if not layer.quantized:
        remarks.append(f"float: {layer.reason}")
    if (layer.saturated or 0) >= SATURATED:
        remarks.append(f"{layer.saturated:.1%} outside the range")
    if (layer.outlier_ratio or 0) >= OUTLIER:
        word = "its input's scale" if layer.shared_scale else "outlier"
        remarks.append(f"{word} ×{layer.outlier_ratio:.0f}")
    if (layer.activation_range_ratio or 0) >= CHANNELS:
        remarks.append(f"channels differ ×{layer.activation_range_ratio:.0f}")
    if (layer.weight_range_ratio or 0) >= CHANNELS:
        remarks.append(f"weights differ ×{layer.weight_range_ratio:.0f}")
    return "  ".join(filter(None, remarks))


def _show_search(examined: Examined) -> None:
    search = examined.search
    assert search
    lost_in = "points" if examined.outcome.unit == SHARE else "%"
    rows = [
        (
            str(i + 1),
            f"{len(trial.kept)}",
            f"{trial.score.agreement:.1%}",
            "" if trial.score.accuracy_drop is None else f"{100 * trial.score.accuracy_drop:.1f} {lost_in}",
            "yes" if trial.met else "no",
            " ".join(trial.kept),
        )
        for i, trial in enumerate(search.tried)
    ]
    print_table(("try", "in float", "agreement", "lost", "enough", "layers"), rows)


def _document(examined: Examined) -> dict[str, Any]:
    diagnosis, request, search = examined.diagnosis, examined.request, examined.search
    document: dict[str, Any] = {
        "schema": 1,
        "target": request.target.id,
        "backend": request.runtime.backend,
        "profile": request.profile.id,
        "sentence": diagnosis.sentence,
        "cause": diagnosis.cause,
        "blamed": list(diagnosis.layers),
        "evidence": list(diagnosis.evidence),
        "next": diagnosis.next_step,
        "warnings": list(examined.warnings),
        "agreement": examined.outcome.agreement,
        "accuracy_drop": examined.outcome.accuracy_drop,
        "samples": examined.outcome.samples,
        "layers": [_finite(layer) for layer in text.loads(records.to_json(examined.layers))],
    }
    if examined.pruned:
        document["pruning"] = {"sentence": examined.pruned.sentence, "next": examined.pruned.next_step}
    if search:
        document["overrides"] = search.recipe.overrides
        document["tried"] = [
            {
                "float": list(trial.kept),
                "agreement": trial.score.agreement,
                "accuracy_drop": trial.score.accuracy_drop,
                "met": trial.met,
            }
            for trial in search.tried
        ]
    return document


def _finite(layer: dict[str, Any]) -> dict[str, Any]:
    """Replace infinite losses by null, as in a report: JSON has no infinity."""
    numbers = {"Infinity": None, "-Infinity": None, "NaN": None}
    return {
        key: numbers.get(value, value) if isinstance(value, str) and key.endswith("_db") else value
        for key, value in layer.items()
    }
