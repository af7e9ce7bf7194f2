"""`--help` says for each command what it is for, by an example that can be typed, and where to read on."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest

from edgekit.cli.app import HELP, load
from edgekit.cli.guide import GUIDES
from tests.conftest import Command

DOCS = Path(__file__).parents[2] / "docs"


def parsed(command: Any, name: str, words: list[str], parent: Any = None) -> None:
    """Parse the words as the command would, without running it. Raises what click does for wrong ones."""
    context = command.make_context(name, words, parent=parent)
    if getattr(command, "commands", None) and context._protected_args:
        rest = [*context._protected_args, *context.args]
        below, inner, words = command.resolve_command(context, rest)
        parsed(inner, below, words, context)


def test_every_command_has_a_guide() -> None:
    assert set(GUIDES) == set(HELP)


@pytest.mark.parametrize("name", HELP)
def test_an_example_can_be_typed_and_its_page_is_there(name: str) -> None:
    program, command, *words = shlex.split(GUIDES[name].example)
    assert (program, command) == ("edgekit", name)
    parsed(load(name), name, words)
    assert (DOCS / GUIDES[name].page).is_file()


def test_a_wrong_example_would_be_noticed() -> None:
    with pytest.raises(Exception, match="No such option"):
        parsed(load("plan"), "plan", ["--targte", "host"])


def test_help_groups_the_commands_and_ends_with_an_example(command: Command) -> None:
    text = " ".join(command("--help").out.split())
    assert "Other commands" not in text
    assert (
        text.index("Build a model for a device") < text.index("Put it on devices") < text.index("Measure and compare")
    )
    assert "Example: edgekit build --example digits --target raspberry-pi" in text
    assert "Read on: docs/devices.md" in " ".join(command("rollback", "--help").out.split())
