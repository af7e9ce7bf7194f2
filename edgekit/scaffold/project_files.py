"""Files of a new project: all of them written or none, and none over another."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from edgekit.atomic import create, write
from edgekit.errors import ProjectExists, ScaffoldError
from edgekit.scaffold.draft import Draft

MODE = 0o644


@contextlib.contextmanager
def written(draft: Draft) -> Iterator[None]:
    """Write the draft's files; if the body raises, they are removed again.

    Raises ProjectExists for a file that is there, StorageError, and ScaffoldError for a name that no text holds.
    """
    made: list[Path] = []
    try:
        for name, content in _encoded(draft.files).items():
            path = draft.root / name
            if not create(path, content, MODE):
                raise ProjectExists(f"'{path}' is there already: nothing was written", hint=f"mv '{name}' 'my_{name}'")
            made.append(path)
        yield
    except BaseException:
        for path in made:
            path.unlink(missing_ok=True)
        raise


def rewrite(draft: Draft) -> None:
    """Write those of the draft's own files anew that have changed."""
    for name, content in _encoded(draft.files).items():
        write(draft.root / name, content)


def _encoded(files: Mapping[str, str]) -> dict[str, bytes]:
    try:
        return {name: text.encode() for name, text in files.items()}
    except UnicodeEncodeError as error:
        raise ScaffoldError(
            f"a name of a file or folder is no text in UTF-8: {error.object[error.start : error.end]!a}",
            hint="rename it: convmv -f latin1 -t utf8 -r .",
        ) from error
