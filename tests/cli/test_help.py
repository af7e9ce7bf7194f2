"""`--help` and `plan` are quick because they load nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.conftest import Command
from tests.terminal import environment

HEAVY = {
    "torch",
    "torchao",
    "executorch",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "litert_torch",
    "ai_edge_litert",
    "pyarrow",
}
LOADED = """
import contextlib, io, json, sys
from edgekit.cli import execute

with contextlib.redirect_stdout(io.StringIO()) as said, contextlib.suppress(SystemExit):
    execute()
assert said.getvalue()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
COMMANDS = (
    "build", "run", "plan", "flash", "probe", "runtime", "compare", "report", "inspect", "explain",
    "targets", "profiles", "keys", "reference", "status", "history", "rollback",
)  # fmt: skip


def loaded(*argv: str) -> set[str]:
    """The packages that a process has in memory after the command."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *argv], env=environment(), capture_output=True, text=True, check=True, timeout=60
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize(
    "argv",
    [
        ("--help",),
        ("targets",),
        ("profiles", "show", "jetson-int8"),
        ("plan", "--example", "digits", "--target", "all"),
        ("plan", "--example", "digits", "--target", "raspberry-pi", "--backend", "tflite", "--json"),
    ],
    ids=" ".join,
)
def test_looking_loads_no_compiler_and_no_runtime(argv: tuple[str, ...]) -> None:
    packages = loaded(*argv)
    assert "edgekit" in packages
    assert not packages & HEAVY


def test_the_help_names_every_command(command: Command) -> None:
    ended = command("--help")
    assert ended.code == 0
    assert [name for name in COMMANDS if f"│ {name} " not in ended.out] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_says_what_it_does(command: Command, name: str) -> None:
    ended = command(name, "--help")
    assert ended.code == 0
    assert f"Usage: edgekit {name} " in ended.out
    assert ended.err == ""


def test_without_a_command_the_help_is_shown_and_the_exit_is_that_of_bad_usage(command: Command) -> None:
    ended = command()
    assert ended.code == 2
    assert "Usage: edgekit" in ended.out + ended.err
