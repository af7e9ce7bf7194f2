"""`init`: a project, written from the model and the samples that lie in a folder."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from edgekit.cli import completion, options
from edgekit.cli.build import build_command
from edgekit.cli.output import note, print_json, progress, say
from edgekit.errors import LoadError, OptionError, ScaffoldError
from edgekit.ir.plural import counted
from edgekit.pipeline.request import ALL
from edgekit.scaffold.draft import Draft
from edgekit.scaffold.model_file import model_paths
from edgekit.scaffold.network_class import classes_beside
from edgekit.scaffold.picture_folder import PictureFolder
from edgekit.scaffold.project_files import rewrite, written
from edgekit.scaffold.survey import ProjectParts, draft
from edgekit.scaffold.trial import PreprocessScore, PreprocessTrial, completed, sentences, try_project
from edgekit.specs.catalog import Catalog
from edgekit.specs.factory import forget
from edgekit.specs.project import Project
from edgekit.untrusted.sanitize import line


def register(app: typer.Typer) -> None:
    app.command("init")(init_command)


def init_command(
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Folder of the project; default: this one.")] = Path(),
    model: Annotated[
        Path | None, typer.Option("--model", metavar="FILE", help="Weights, .onnx, .pt2 or TorchScript.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option("--data", metavar="PATH", help="Folder of pictures by class, .csv or .npz.")
    ] = None,
    network: Annotated[
        str | None, typer.Option("--network", metavar="FILE.py:NAME", help="Class or function that makes the network.")
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", min=1, metavar="N", help="Height and width that the model takes.")
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Ask nothing; take what fits, or say what to state.")
    ] = False,
    build: Annotated[
        str | None,
        typer.Option(
            "--build",
            metavar="ID|FAMILY",
            help="Then build it for this target: `edgekit build --target`.",
            autocompletion=completion.targets,
        ),
    ] = None,
    json: options.Json = False,
) -> None:
    """Write a project from a trained model and samples: edgekit.toml, model.py and data.py.

    The network answers 100 samples, so that what is written also builds. No file is ever overwritten.

    Example: `edgekit init --yes --build raspberry-pi`, in a folder with `weights.pt`, the `net.py` that defines the
    network, and `photos/CLASS/1.jpg`. More: docs/first-hour.md.
    """
    if build:
        _check_build(build, json)
    drafted = draft(
        folder, ProjectParts(model, data, network, size), _assume if yes or not sys.stdin.isatty() else _ask
    )
    with written(drafted), progress("init") as watch:
        watch("trial", None)
        trial = _tried(drafted)
        drafted = completed(drafted, trial)
        rewrite(drafted)
        forget(drafted.root)
    tried = trial.answered
    if json:
        print_json(_document(drafted, tried))
        return
    say(f"wrote {', '.join(drafted.files)} in '{drafted.root}'")
    for sentence in [*_found(drafted), *sentences(tried, len(drafted.classes))]:
        say(f"  {sentence}")
    if build:
        build_command(build, None if folder.resolve() == Path.cwd() else folder)
    else:
        say(f"next: {next_command(folder)}")


def _tried(drafted: Draft) -> PreprocessTrial:
    """Try what was written. Where a function that loads its weights fails, the class beside it may be meant."""
    try:
        return try_project(Project.read(drafted.root))
    except LoadError as error:
        classes = classes_beside(drafted.network, drafted.root) if drafted.network and drafted.network.loads else []
        weights = [path.name for path in model_paths(drafted.root)]
        if classes and weights:
            error.hint = (
                f"where '{weights[0]}' are its weights: edgekit init --network {classes[-1].place} --model "
                f"{shlex.quote(weights[0])}; else {error.hint}"
            )
        raise


def _check_build(target: str, json: bool) -> None:
    """Raise OptionError or UnknownName before anything is written, if the build that is to follow cannot begin."""
    if json:
        raise OptionError(
            "--build and --json: each would print a document", hint="edgekit init --json, then edgekit build --json"
        )
    if target != ALL:
        Catalog.default(None).target(target)


def next_command(folder: Path) -> str:
    """Command that builds the project in `folder`, as it is typed in the current one."""
    here = folder.resolve() == Path.cwd()
    return "edgekit build --target host" + ("" if here else f" --project {shlex.quote(os.fspath(folder))}")


def _assume(question: str, answers: Sequence[str], default: str) -> str:
    """Answer with the default. Raises ScaffoldError where there is none."""
    if default:
        return default
    raise ScaffoldError(
        f"{question}: {', '.join(answers)}", hint=f"state one: {_option(question)} {shlex.quote(answers[0])}"
    )


def _option(question: str) -> str:
    return question.rpartition("(")[2].rstrip(")")


def _ask(question: str, answers: Sequence[str], default: str) -> str:
    """Ask on the terminal, unless there is one answer only."""
    if len(answers) == 1:
        return answers[0]
    for number, answer in enumerate(answers, 1):
        note(f"  {number}  {answer}")
    while True:
        typed = str(typer.prompt(question, default=line(default) or None, err=True)).strip()
        with contextlib.suppress(ValueError, IndexError):
            if answers and typed not in answers and int(typed) > 0:
                typed = answers[int(typed) - 1]
        if not answers or typed in answers:
            return typed
        note(f"one of 1 to {len(answers)}")


def _found(drafted: Draft) -> list[str]:
    data = drafted.data
    model = f"'{drafted.model.path.name}' ({drafted.model.kind})" if drafted.model else "weights that the network loads"
    network = f", network '{drafted.network.place}'" if drafted.network else ""
    classes = f" in {counted(len(data.classes), 'class')}" if data.classes else ""
    facts = [
        f"model: {model}{network}",
        f"data: '{data.path.name}', {counted(data.count, 'sample')}{classes}",
        *data.other,
    ]
    if isinstance(data, PictureFolder) and data.damaged:
        facts.append(f"{len(data.damaged)} damaged, left out: {', '.join(data.damaged[:5])}")
    if drafted.licence == "not stated":
        facts.append("licence of the data: not stated; write it under [data] when you know it")
    return facts


def _document(drafted: Draft, tried: Sequence[PreprocessScore]) -> dict[str, object]:
    return {
        "schema": 1,
        "folder": str(drafted.root),
        "files": list(drafted.files),
        "found": _found(drafted),
        "tried": [{"preprocess": each.preprocess, "accuracy": each.accuracy, "samples": each.count} for each in tried],
    }
