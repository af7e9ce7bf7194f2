"""Completion of values in a shell: names that are known on this machine. Quick, and silent whatever is wrong."""

from __future__ import annotations

import contextlib
import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

Complete = Callable[[str], list[str]]
"""Names that begin with what was typed."""


def _completion(names: Callable[[], Iterable[str]]) -> Complete:
    """Completion from a list of names; none if they cannot be told: a shell shows no errors."""

    def complete(incomplete: str) -> list[str]:
        with contextlib.suppress(Exception):
            return sorted({name for name in names() if name.startswith(incomplete)})
        return []

    return complete


def _files(kind: str) -> Iterator[Path]:
    """Files of a kind in the catalogue, unread."""
    from edgekit.specs.catalog import builtin_root

    for root in (Path.cwd(), builtin_root()):
        yield from (root / kind).glob("*.toml")


def _values(kind: str, key: str) -> set[str]:
    values: set[str] = set()
    for path in _files(kind):
        value = tomllib.loads(path.read_text("utf-8")).get(key, ())
        values |= {value} if isinstance(value, str) else set(value)
    return values


@_completion
def targets() -> set[str]:
    """Ids of targets, families, and `all`."""
    return {"all", *(path.stem for path in _files("targets")), *_values("targets", "family")}


@_completion
def target_ids() -> set[str]:
    """Ids of targets."""
    return {path.stem for path in _files("targets")}


@_completion
def profiles() -> set[str]:
    """Ids of profiles."""
    return {path.stem for path in _files("profiles")}


@_completion
def families() -> set[str]:
    """Families of targets."""
    return _values("targets", "family")


@_completion
def backends() -> list[str]:
    """Names of backends, those of plug-ins too."""
    from edgekit import plugins

    return plugins.names("backends")


@_completion
def devices() -> set[str]:
    """Names of the user's devices, emulated ones that are up, and what a URL begins with."""
    from edgekit import plugins, user_paths
    from edgekit.devices.inventory import FILE

    schemes = {f"{name}://" for name in plugins.names("transports")}
    book = user_paths.config() / FILE
    names = set(tomllib.loads(book.read_text("utf-8"))) if book.exists() else set()
    return {*names, *schemes, "emulated"}


@_completion
def device_groups() -> set[str]:
    """Groups of the user's devices."""
    from edgekit.devices.inventory import Book

    return {group for entry in Book.of_user().entries().values() for group in entry.groups}


@_completion
def error_codes() -> set[str]:
    """Codes of all errors."""
    from edgekit.errors import all_errors

    return {kind.code for kind in all_errors()}


@_completion
def examples() -> set[str]:
    """Names of the embedded examples."""
    from edgekit import examples as folder

    return {path.parent.name for path in Path(str(folder.__file__)).parent.glob("*/edgekit.toml")}
