"""Location in a project's own files: the line that states a gate, or that an error tells of."""

from __future__ import annotations

import contextlib
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FILE = "edgekit.toml"
MOST_LINES = 1000
"""Lines of a file that a key is looked for in."""
MOST_LINES_OF_A_VALUE = 50
_PYTHON = re.compile(r" at (?P<file>[^:'\"]+?\.py):(?P<line>\d+)(?= in |:)")
_NO_TOML = re.compile(r"'(?P<file>[^']+\.toml)' is not TOML: .*\(at line (?P<line>\d+)")
_KEY = re.compile(r"(?P<file>[^':]+\.toml): '(?P<key>[^']+)'")


@dataclass(frozen=True)
class SourceLocation:
    """File, from the project's folder, with `/` between its parts; and its line, from 1."""

    file: str = FILE
    line: int = 1


def gate_location(project: Path, profile: str, gate: str) -> SourceLocation:
    """Locate what states a gate: the project's own `[gates]`, or its own profile of that id.

    Without either, as the gate comes from a profile of edgekit's or from --set: the project's file.
    """
    for file in (FILE, f"profiles/{profile}.toml"):
        line = key_line(project / file, ("gates", gate)) if _is_within(file) else None
        if line:
            return SourceLocation(file, line)
    return SourceLocation()


def error_location(message: str, project: Path) -> SourceLocation | None:
    """Locate the fault that an error's message tells of; None where it names no line of a file in `project`."""
    for match in (*reversed(list(_PYTHON.finditer(message))), *_NO_TOML.finditer(message)):
        file = _file_in(project, match["file"])
        if file and int(match["line"]) <= len(_lines(project / file)):
            return SourceLocation(file, int(match["line"]))
    stated = _KEY.match(message)
    file = _file_in(project, stated["file"]) if stated else None
    if stated is None or file is None:
        return None
    path = stated["key"].split(".")
    known = (key_line(project / file, path[:length]) for length in range(len(path), 0, -1) if path[length - 1])
    return SourceLocation(file, next((line for line in known if line), 1))


def key_line(file: Path, path: Sequence[str]) -> int | None:
    """Line of a TOML file on which the key at `path` is first stated; None if it is not, or the file cannot be read.

    It is the first line with that name after which the lines so far, which are TOML, have the key.
    """
    lines = _lines(file)
    for number, line in enumerate(lines, 1):
        if path[-1] in line and _has(_table(lines, number), path):
            return number
    return None


def _table(lines: Sequence[str], number: int) -> object:
    """Parse the lines up to the end of the value that begins on line `number`; an empty table if it has no end."""
    for end in range(number, min(number + MOST_LINES_OF_A_VALUE, len(lines)) + 1):
        with contextlib.suppress(ValueError, RecursionError):
            return tomllib.loads("\n".join(lines[:end]))
    return {}


def _has(table: object, path: Sequence[str]) -> bool:
    for key in path:
        if isinstance(table, list) and key.isdecimal() and int(key) < len(table):
            table = table[int(key)]
        elif isinstance(table, dict) and key in table:
            table = table[key]
        else:
            return False
    return True


def _lines(file: Path) -> list[str]:
    """First lines of a text file; none if it cannot be read."""
    try:
        return file.read_text("utf-8").split("\n")[:MOST_LINES]
    except (OSError, ValueError):
        return []


def _file_in(project: Path, name: str) -> str | None:
    """The file as it is named from the project's folder, if it is one in it."""
    root = project.resolve()
    for path in (root / name, Path(name).resolve()):
        resolved = path.resolve()
        if resolved.is_file() and resolved.is_relative_to(root):
            return resolved.relative_to(root).as_posix()
    return None


def _is_within(file: str) -> bool:
    """True for a path that stays below the folder: the id of a profile comes from a report."""
    return ".." not in Path(file).parts and "\0" not in file
