"""Choice of a task: by its name in the entry-point groups `edgekit.tasks` and `edgekit.metrics`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit import plugins
from edgekit.errors import SpecError, UnknownName, suggest
from edgekit.specs.factory import is_factory
from edgekit.specs.project import Project
from edgekit.specs.spec import NOTHING, parse
from edgekit.tasks.classification import Classification, MultiLabel
from edgekit.tasks.sample_metric import ScoredBySample
from edgekit.tasks.task import Task, TaskSpec
from edgekit.tasks.user_functions import CustomTask

DECODE, METRIC, TEMPERATURE = "decode", "metric", "temperature"


def task_of(project: Project) -> Task:
    """Make the task of a project, by its `[model] task` and `[task]`. Loads neither torch nor the project's code.

    Raises UnknownName if no task has that name, SpecError if an option is wrong.
    """
    task = task_named(project.model.task, project.task, project.root)
    plain = task.task if isinstance(task, CustomTask) else task
    if isinstance(plain, TaskSpec):
        plain.check_inputs(project.inputs)
    return task


def temperature_of(project: Project) -> float | str | None:
    """Temperature under `[task]`: a number, `fit`, or None where the project states none or its task has none."""
    if TEMPERATURE not in project.task:
        return None
    task = task_of(project)
    plain = task.task if isinstance(task, CustomTask) else task
    return plain.temperature if isinstance(plain, (Classification, MultiLabel)) else None


def number_of(temperature: float | str | None) -> float | None:
    """Temperature as a number; None for none, and for one that is still to be fitted."""
    return temperature if isinstance(temperature, (int, float)) else None


def task_named(name: str, options: Mapping[str, Any] = NOTHING, root: Path | None = None) -> Task:
    """Make the task of that name. options: as under `[task]`; `file.py:name` in them is relative to `root`.

    Raises UnknownName or SpecError.
    """
    functions = {key: options[key] for key in (DECODE, METRIC) if key in options and is_factory(options[key])}
    if DECODE in options and DECODE not in functions:
        raise SpecError(f"edgekit.toml: 'task.{DECODE}': expected 'file.py:name'")
    if DECODE in functions and TEMPERATURE in options:
        raise SpecError(
            f"edgekit.toml: 'task.{TEMPERATURE}': it divides the model's first output, and not what '{DECODE}' gives",
            hint=f"divide the logits in '{options[DECODE]}'",
        )
    plain = {key: value for key, value in options.items() if key not in functions}
    task = _registered(name, plain)
    if not functions:
        return task
    return CustomTask(task, root or Path(), functions.get(DECODE), functions.get(METRIC))


def task_names() -> list[str]:
    """List the names of all tasks, sorted."""
    return sorted({*plugins.names("tasks"), *plugins.names("metrics")})


def _registered(name: str, options: Mapping[str, Any]) -> Task:
    if name in plugins.names("tasks"):
        task: Task = parse(plugins.load("tasks", name), options, "edgekit.toml: [task]")
        return task
    if name not in plugins.names("metrics"):
        known = task_names()
        raise UnknownName(f"no task is named '{name}'", hint=suggest(name, known, f"known: {', '.join(known)}"))
    if options:
        raise SpecError(
            f"edgekit.toml: 'task.{next(iter(options))}': no such key",
            hint=f"task '{name}' of a plug-in has no options",
        )
    return ScoredBySample(plugins.load("metrics", name)())
