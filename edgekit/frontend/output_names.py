"""Names of a network's outputs: the project's, the network's own, or numbers."""

from __future__ import annotations

import re
from typing import Any

from torch.utils import _pytree as pytree

from edgekit.errors import CaptureError, SpecError
from edgekit.specs.project import Project


def output_names(project: Project, results: Any, count: int) -> tuple[str, ...]:
    """Names of the outputs: those that the project states, the keys of the model's dict, or `output`, `output_0` …

    Keys of nested dicts are joined by dots, `boxes.left`. Raises SpecError or CaptureError.
    """
    stated = project.model.outputs
    if stated and len(stated) != count:
        raise SpecError(f"[model] outputs names {len(stated)}, the model returns {count}")
    if stated:
        return stated
    if isinstance(results, dict):
        return tuple(_path_name(path) for path, _ in pytree.tree_flatten_with_path(results)[0])
    return ("output",) if count == 1 else tuple(f"output_{i}" for i in range(count))


def _path_name(path: tuple[Any, ...]) -> str:
    """Name of a leaf of nested dicts and tuples: its keys and numbers, joined by dots. Raises CaptureError."""
    name = ".".join(str(getattr(step, "key", getattr(step, "idx", getattr(step, "name", "")))) for step in path)
    if not re.fullmatch(r"[A-Za-z_][\w.-]*", name):
        raise CaptureError(
            f"the model returns a dict with the key '{name}', which cannot name an output",
            hint='name the outputs in order: [model] outputs = ["scores", …]',
        )
    return name
