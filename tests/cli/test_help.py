"""`--help` and `plan` are quick because they load nothing heavy."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import edgekit
from edgekit.cli.app import HELP, load
from tests.command_line import environment
from tests.conftest import Command

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

said = io.StringIO()
with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), contextlib.suppress(SystemExit):
    execute()
assert said.getvalue()
print(json.dumps(sorted({name.partition(".")[0] for name in sys.modules})))
"""
COMMANDS = (
    "build", "run", "plan", "flash", "probe", "runtime", "compare", "report", "inspect", "explain",
    "targets", "profiles", "keys", "reference", "status", "history", "rollback",
    "ablate", "export",
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


@pytest.mark.parametrize("argv", [("--help",), ("--version",), ("-h",), ("buidl",)], ids=" ".join)
def test_what_no_command_is_asked_for_starts_at_once(argv: tuple[str, ...]) -> None:
    assert loaded(*argv).isdisjoint({"numpy", "cryptography", "PIL", *HEAVY})


def test_a_script_completes_commands_at_once() -> None:
    env = {"_EDGEKIT_COMPLETE": "complete_bash", "COMP_WORDS": "edgekit ro", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "edgekit.cli"],
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split() == ["rollback"]
    assert "edgekit.cli.app" in done.stderr
    assert "edgekit.cli.rollback" not in done.stderr
    assert "numpy" not in done.stderr


@pytest.mark.parametrize("name", HELP)
def test_the_line_that_help_shows_of_a_command_is_the_commands_own(name: str) -> None:
    text = " ".join(load(name).help.partition("\n\n")[0].split())
    assert HELP[name] == text


def test_the_version_is_said(command: Command) -> None:
    ended = command("--version")
    assert (ended.code, ended.out) == (0, f"edgekit {edgekit.__version__}\n")
    as_module = subprocess.run(
        [sys.executable, "-m", "edgekit", "--version"], env=environment(), capture_output=True, text=True, timeout=60
    )
    assert as_module.stdout == ended.out


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
