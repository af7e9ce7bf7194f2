"""Options in a command line as it was typed, for what must know them though the command could not be parsed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from edgekit.cli.supervisor import command_in


def option_value(argv: Sequence[str], name: str) -> str | None:
    """Value of an option as it was typed last, `--name VALUE` or `--name=VALUE`; None if it was not."""
    words, value = list(argv[: argv.index("--")] if "--" in argv else argv), None
    for word, following in pairwise([*words, ""]):
        if word == name:
            value = following
        elif word.startswith(f"{name}="):
            value = word.removeprefix(f"{name}=")
    return value or None


def has_option(argv: Sequence[str], name: str, value: str | None = None) -> bool:
    """True if the option was typed, with that value if one is given; words for a device's shell are none of ours."""
    words = list(argv[: argv.index("--")] if "--" in argv else argv)
    if command_in(words) == "device" and "shell" in words:
        return False
    if value is None:
        return name in words
    return f"{name}={value}" in words or (name, value) in pairwise(words)
