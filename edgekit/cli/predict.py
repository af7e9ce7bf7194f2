"""`predict`: what a bundle, or a device, answers to pictures of yours."""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path
from typing import Annotated

import typer

from edgekit.api.builds import load_project
from edgekit.cli import completion, options
from edgekit.cli.output import note, print_json, print_table, progress
from edgekit.errors import OptionError
from edgekit.pipeline.predict import ClassShare, Prediction, Predictions, predict
from edgekit.pipeline.probe import BUNDLE
from edgekit.specs.project import FILE, Project

LOCAL = "local://"
SHOWN_VALUES = 6


def register(app: typer.Typer) -> None:
    app.command("predict")(predict_command)


def predict_command(
    paths: Annotated[
        list[Path], typer.Argument(metavar="[BUNDLE] PICTURE…", help="Without a bundle: what the device serves.")
    ],
    device: Annotated[
        str | None,
        typer.Option(
            "--device",
            metavar="NAME|URL",
            help="Where it runs; default: this machine.",
            autocompletion=completion.devices,
        ),
    ] = None,
    project: options.Project = None,
    example: options.Example = None,
    runtime: options.Runtime = None,
    top: Annotated[int, typer.Option("--top", min=1, metavar="N", help="How many classes are shown.")] = 3,
    json: options.Json = False,
) -> None:
    """Say what a bundle, or a device, answers to pictures, beside the float network if its project is here.

    Example: `edgekit predict edgekit-out/…/NAME.edgekit photo.jpg`. More: docs/first-hour.md.
    """
    bundle = paths[0] if paths[0].suffix == BUNDLE else None
    pictures = paths[1:] if bundle else paths
    if not pictures:
        raise OptionError(
            f"'{paths[0]}' is a bundle, and no picture is named", hint=f"edgekit predict '{paths[0]}' photo.jpg"
        )
    if bundle is None and device is None:
        raise OptionError(
            f"'{paths[0]}' is no bundle, and no device is named",
            hint="--device NAME asks what it serves, or BUNDLE first",
        )
    missing = next((path for path in paths if not path.is_file()), None)
    if missing:
        raise OptionError(f"there is no file '{missing}'", hint=f"ls '{missing.parent}'")
    with progress("predict"):
        answers = predict(device or LOCAL, bundle, pictures, _project(project, example), runtime, top)
    if json:
        print_json(_document(answers))
        return
    rows = [row for each in answers.pictures for row in _rows(each)]
    headings = ("picture", "answer", "sure to") + (("float model", "sure to") if answers.reference else ())
    print_table(headings, [row[: len(headings)] for row in rows])
    beside = "" if answers.reference else "; --project DIR shows the float model beside it"
    note(f"{answers.model}, on {answers.place}{beside}")


def _project(project: Path | None, example: str | None) -> Project | None:
    """Project with the float network: the one that is stated, or that of this folder, if it has one."""
    return load_project(project, example=example) if project or example or Path(FILE).is_file() else None


def _rows(each: Prediction) -> list[tuple[str, ...]]:
    """Rows of one picture: a class a row, or an output a row of a model that gives no classes."""
    if not each.candidate:
        shown = [(name, list(array.shape), array.flat[:SHOWN_VALUES]) for name, array in each.values]
        cells = [
            (f"{name} {shape}", " ".join(f"{value:.4g}" for value in values), "", "") for name, shape, values in shown
        ]
    else:
        differs = bool(each.reference) and each.reference[0].name != each.candidate[0].name
        pairs = list(zip_longest(each.candidate, each.reference))
        cells = [(*_cells(own), *_cells(beside)) for own, beside in pairs]
        if differs:
            cells[0] = (*cells[0][:2], f"{cells[0][2]} (differs)", cells[0][3])
    return [(each.file if not i else "", *row) for i, row in enumerate(cells)]


def _cells(share: ClassShare | None) -> tuple[str, str]:
    if share is None:
        return "", ""
    return share.name, "-" if share.probability is None else f"{share.probability:.1%}"


def _document(answers: Predictions) -> dict[str, object]:
    def listed(shares: tuple[ClassShare, ...]) -> list[dict[str, object]]:
        return [{"class": each.name, "probability": each.probability} for each in shares]

    return {
        "schema": 1,
        "model": answers.model,
        "place": answers.place,
        "pictures": [
            {
                "file": each.file,
                "candidate": listed(each.candidate),
                "reference": listed(each.reference) if answers.reference else None,
                "outputs": {name: array.tolist() for name, array in each.values},
            }
            for each in answers.pictures
        ],
    }
