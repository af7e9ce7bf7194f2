"""Names that were typed: those that nothing has are told with the nearest one, also where no project is."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from edgekit import plugins
from edgekit.api.builds import load_project
from edgekit.errors import UnknownName, UsageError, suggest
from edgekit.pipeline.request import ALL
from edgekit.specs.catalog import Catalog
from edgekit.specs.project import Project


def project_of(
    folder: Path | None, example: str | None, target: str | None, backend: str | None, profile: str | None
) -> Project:
    """Read the project; without one, a wrong name among the others is told first, and then that there is no project.

    Raises UsageError.
    """
    try:
        return load_project(folder, example=example)
    except UsageError as error:
        try:
            _check_names(folder, target, backend, profile)
        except UnknownName as unknown:
            unknown.add_note(f"and {error}")
            raise unknown from error
        raise


def check_family(family: str | None, known: Collection[str]) -> None:
    """Raise UnknownName, with the nearest, if no target is of that family."""
    if family is not None and family not in known:
        hint = suggest(family, known, f"one of {', '.join(sorted(known))}")
        raise UnknownName(f"no family is named '{family}'", hint=hint)


def _check_names(folder: Path | None, target: str | None, backend: str | None, profile: str | None) -> None:
    catalog, backends = Catalog.default(folder), plugins.names("backends")
    if target not in (None, ALL):
        catalog.target(target)
    if backend not in (None, ALL) and backend not in backends:
        hint = suggest(backend, backends, f"one of {', '.join(backends)}")
        raise UnknownName(f"no backend is named '{backend}'", hint=hint)
    if profile is not None:
        catalog.profile(profile)
