"""Tables: aligned where they are read by programs, folded where a terminal is too narrow, and never cut."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.cells import cell_len

from edgekit.cli.output import print_table
from tests.command_line import in_terminal

ROWS = (("キッチン", "ssh://pi@kitchen"), ("[red]attic[/]", "two\nlines"), ("hall", ""))


def shown(width: int, rows: Sequence[Sequence[str]]) -> list[str]:
    """What a terminal of that width shows."""
    script = f"from edgekit.cli.output import print_table; print_table(('name', 'url'), {rows!r})"
    env = {"COLUMNS": str(width), "LINES": "24", "TERM": "dumb", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
    with in_terminal(sys.executable, "-c", script, cwd=Path.cwd(), env=env) as terminal:
        text, _ = terminal.communicate(timeout=300)
    assert terminal.returncode == 0
    return text.decode().splitlines()


def test_in_a_pipe_every_row_is_a_line_and_columns_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "url"), ROWS)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == ["キッチン       ssh://pi@kitchen", "[red]attic[/]  two lines", "hall"]
    assert {cell_len(line[: line.index(word)]) for line, word in zip(lines, ("url", "ssh", "two"), strict=False)} == {
        15
    }


def test_a_terminal_that_is_wide_enough_shows_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("name", "url"), ROWS)
    assert shown(100, ROWS) == capsys.readouterr().out.splitlines()


def test_a_narrow_one_folds_and_leaves_nothing_out() -> None:
    lines = shown(20, (("a" * 30, "b" * 30),))
    assert len(lines) > 3
    assert all(cell_len(line) <= 20 for line in lines)
    assert ("".join(lines[1:]).count("a"), "".join(lines[1:]).count("b")) == (30, 30)
