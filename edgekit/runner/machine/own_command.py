"""Command line that this process was started by: the Python, and the program that it runs. Standard library only."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple


class OwnCommand(NamedTuple):
    """Words of a command line before the program's own arguments."""

    python: tuple[str, ...]
    """Python, behind the loader of a runtime pack if it has one, with its options."""
    program: tuple[str, ...]
    """Program: one file, or `-m` and a name."""


def own_command() -> OwnCommand:
    """Command line of this process; where the system does not tell, the Python alone, and the program's file."""
    try:
        words = Path("/proc/self/cmdline").read_bytes().decode("utf-8", "surrogateescape").split("\0")[:-1]
    except OSError:
        words = []
    return split(words) or OwnCommand((sys.executable,), (sys.argv[0],))


def split(words: Sequence[str]) -> OwnCommand | None:
    """Split the words of a runner's command line; None for another program's."""
    for at, word in enumerate(words[1:], 1):
        if word.endswith(".pyz"):
            return OwnCommand(tuple(words[:at]), (word,))
        if word == "runner" and words[at - 1] == "-m" and at > 1:
            return OwnCommand(tuple(words[: at - 1]), ("-m", "runner"))
    return None
