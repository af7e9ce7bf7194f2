"""Names of a network's outputs: the project's, the network's own, or numbers."""

from __future__ import annotations

from typing import Any

from edgekit.errors import SpecError
from edgekit.specs.project import Project


def output_names(project: Project, results: Any, count: int) -> tuple[str, ...]:
    """Names of the outputs: those that the project states, the keys of the model's dict, or `output`, `output_0` …"""
    stated = project.model.outputs
    if stated and len(stated) != count:
        raise SpecError(f"[model] outputs names {len(stated)}, the model returns {count}")
    if stated:
        return stated
    if isinstance(results, dict) and len(results) == count:
        return tuple(str(key) for key in results)
    return ("output",) if count == 1 else tuple(f"output_{i}" for i in range(count))
