"""What reaches the terminal is printable, whoever wrote it."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup

from edgekit import cli
from edgekit.cli.app import app
from edgekit.cli.output import note, print_error, print_json, print_table, say, say_lines
from edgekit.errors import Crash, EdgekitError
from tests.command_line import environment

NASTY = "a\x1b[2J\x1b]0;t\x07\0\x9b1m\u202eb\rc"
CLEAN = "a [2J ]0;t   1m b c"


def test_words_of_anybody_are_shown_without_escapes(capsys: pytest.CaptureFixture[str]) -> None:
    error = EdgekitError(NASTY, hint=NASTY)
    error.add_note(NASTY)
    print_error(error)
    note(NASTY)
    assert capsys.readouterr().err.count(CLEAN) == 4
    say(f"{NASTY}\nPASSED")
    assert capsys.readouterr().out == f"{CLEAN} PASSED\n"
    say_lines(f"{NASTY}\n{NASTY}\n")
    assert capsys.readouterr().out == f"{CLEAN}\n{CLEAN}\n"
    print_table(("one",), [(NASTY,)])
    assert CLEAN in capsys.readouterr().out


def test_json_says_the_same_in_printable_letters(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": f"{NASTY}\ud800 é"})
    shown = capsys.readouterr().out
    assert shown.replace("\n", "").isprintable()
    assert "é" in shown
    assert json.loads(shown) == {"name": f"{NASTY}\ud800 é"}


def test_an_error_of_megabytes_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(EdgekitError("B" * 3_000_000, hint="C" * 3_000_000))
    assert len(capsys.readouterr().err) < 5000


def test_no_command_prints_past_the_place_that_cleans() -> None:
    for path in Path(cli.__file__).parent.glob("*.py"):
        if path.name != "output.py":
            text = path.read_text()
            assert "typer.echo(" not in text, path
            assert "print(" not in text.replace("_print(", ""), path


@pytest.mark.parametrize("argv", [("--help",), ("build", "--help"), ("targets", "--json")])
def test_a_reader_that_ends_early_ends_the_command_without_a_word(argv: tuple[str, ...]) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-m", "edgekit.cli", *argv]
    run = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, text=True, timeout=60, env=environment({}))
    os.close(write_end)
    assert (run.returncode, run.stderr) == (141, "")


def test_a_broken_pipe_of_another_process_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: object, ctx: object) -> None:
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(TyperGroup, "invoke", broken)
    with pytest.raises(Crash, match="BrokenPipeError"):
        app(["targets"])
