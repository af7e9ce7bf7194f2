"""Plug-ins: look up entry points of edgekit's groups, of built-ins and other packages alike."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from edgekit.errors import Ambiguous, MissingExtra, UnknownName, suggest
from edgekit.errors.extras import extra_hint

Group = Literal["backends", "transports", "catalogs", "tasks", "metrics", "meters"]


def names(group: Group) -> list[str]:
    """List the registered names, sorted."""
    return sorted(_points(group))


def load(group: Group, name: str) -> Any:
    """Load the object that is registered as `name`.

    Raises UnknownName (with the nearest), Ambiguous if two packages claim the name, and MissingExtra if a
    dependency of it is not installed.
    """
    points = _points(group)
    if name not in points:
        raise UnknownName(
            f"no {group.removesuffix('s')} is named '{name}'", hint=suggest(name, points, f"known: {', '.join(points)}")
        )
    return _load(points[name])


def load_all(group: Group) -> dict[str, Any]:
    """Load every object that is registered in the group, by name."""
    return {name: _load(point) for name, point in _points(group).items()}


def distribution(group: Group, name: str) -> tuple[str, str]:
    """Name and version of the package that registers `name`."""
    dist = _points(group)[name].dist
    return (dist.name, dist.version) if dist else ("edgekit", "unknown")


def _points(group: Group) -> dict[str, EntryPoint]:
    points: dict[str, EntryPoint] = {}
    for point in entry_points(group=f"edgekit.{group}"):
        other = points.get(point.name)
        if other and _origin(other) != _origin(point):
            raise Ambiguous(f"two {group} are named '{point.name}': {_origin(other)} and {_origin(point)}")
        points[point.name] = point
    return points


def _origin(point: EntryPoint) -> str:
    return f"'{point.value}' of {point.dist.name if point.dist else 'an unknown package'}"


def _load(point: EntryPoint) -> Any:
    try:
        return point.load()
    except ModuleNotFoundError as error:
        package = point.dist.name if point.dist else "edgekit"
        extra = extra_hint(point.extras[0], package) if point.extras else f"pip install {error.name}"
        raise MissingExtra(f"'{point.name}' needs '{error.name}', which is not installed", hint=extra) from error
