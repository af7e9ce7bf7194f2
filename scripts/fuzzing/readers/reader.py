"""A function that reads what comes from outside, and honest examples of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.runner.errors import RunnerError
from scripts.fuzzing.outcome import Refused


@dataclass(frozen=True)
class Reader:
    """A function of a file; what it raises must be an error with a code.

    To write one, give `read`, and in `seeds` what honest files hold: each must be taken. Larger seeds, such as models,
    lie in the corpus as `honest…`.
    """

    read: Callable[[Path], object]
    seeds: tuple[bytes, ...] = ()
    name: str = "file"
    """Name of the file."""
    one_in: int = 1
    """One case in so many is run: more than 1 for readers that start a process."""


Readers = Mapping[str, Reader]


def on_device(read: Callable[[Path], object]) -> Callable[[Path], object]:
    """A reader that is part of the runner: it raises RunnerError, which the host is told with its kind."""
    return _expecting(read, RunnerError)


def valued(read: Callable[[Path], object]) -> Callable[[Path], object]:
    """A reader whose callers expect ValueError, and give it a code."""
    return _expecting(read, ValueError)


def text_of(path: Path) -> str:
    return path.read_bytes().decode("utf-8", "replace")


def _expecting(read: Callable[[Path], object], expected: type[Exception]) -> Callable[[Path], object]:
    def taken(path: Path) -> object:
        try:
            return read(path)
        except expected as error:
            raise Refused(str(error)) from error

    return taken
