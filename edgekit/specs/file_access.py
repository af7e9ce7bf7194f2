"""Access to the files that `[model]` names: errors for those that are absent, or cannot be read."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from edgekit.errors import ModelFileError, SpecError


def require_file(path: Path, stated: str, key: str) -> None:
    """Raise SpecError unless there is the file that the project states as `stated`, by the key `key` of `[model]`."""
    if not path.is_file():
        raise SpecError(
            f"[model] {key}: there is no file '{stated}' in '{path.parent}'",
            hint="paths in edgekit.toml are relative to its folder",
        )


@contextlib.contextmanager
def reading(stated: str, hint: str) -> Iterator[None]:
    """Raise ModelFileError, with a hint, where the body cannot read the file: of ValueError and OSError."""
    try:
        yield
    except (ValueError, OSError) as error:
        raise ModelFileError(f"'{stated}' cannot be read: {error}", hint=hint) from error
