"""A project's code ends as it likes: edgekit's exit code is edgekit's, and what happened is said."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import typer

from edgekit.cli import memory
from edgekit.cli.app import HELP, load
from edgekit.cli.supervisor import COMMANDS, command_in
from edgekit.errors import OptionError
from tests.command_line import COMMAND, edgekit, end, environment, in_terminal, start
from tests.conftest import Command
from tests.failing_converters import MARK, gone, marked, until
from tests.networks import MODEL, TOML, substitute, write_project

pytestmark = pytest.mark.builds

ONNX = ("--target", "host", "--backend", "onnx", "--profile", "float32")
LOADER = 'calibration = { loader = "model.py:data"'
WITHOUT_TORCH = """
import os, signal, sys, time

def net():
    {}
"""


def project(folder: Path, body: str) -> Path:
    """A project whose model file does `body` as it is imported, or says how its network is made."""
    return write_project(folder / "project", body, samples=8)


@pytest.mark.parametrize(
    ("does", "said"),
    [
        ("os._exit(0)", "ended with status 0 before 'edgekit build' was done"),
        ("os._exit(1)", "ended with status 1 before 'edgekit build' was done"),
        ("os.kill(os.getpid(), signal.SIGSEGV)", "was killed by SIGSEGV before 'edgekit build' was done"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL before 'edgekit build' was done"),
    ],
)
def test_a_factory_that_ends_the_process_ends_a_build_with_an_error(tmp_path: Path, does: str, said: str) -> None:
    argv = ("build", "--project", project(tmp_path, WITHOUT_TORCH.format(does)), *ONNX, "--out", tmp_path / "out")
    assert said in edgekit(*argv, env={MARK: str(tmp_path)}).refused("EK505", 3)
    assert gone(str(tmp_path))
    assert list(tmp_path.glob("out/*.edgekit")) == []


def test_what_a_project_leaves_running_does_not_hold_the_command(tmp_path: Path) -> None:
    body = WITHOUT_TORCH.format("os.fork() and os._exit(0) or time.sleep(60)")
    argv = [*COMMAND, "build", "--project", str(project(tmp_path, body)), *ONNX]
    with (tmp_path / "said").open("w") as said:
        ended = subprocess.run(
            argv,
            env=environment({MARK: str(tmp_path)}),
            cwd=tmp_path,
            stdout=said,
            stderr=said,
            timeout=50,
            check=False,
        )
    for left in marked(str(tmp_path)):
        os.kill(left, signal.SIGKILL)
    assert ended.returncode == 3
    assert "ended with status 0" in (tmp_path / "said").read_text()


@pytest.mark.parametrize(
    "raised", ["GeneratorExit", "SystemExit(0)", "KeyboardInterrupt", "type('Mine', (BaseException,), {})"]
)
def test_whatever_a_factory_raises_is_an_error_and_no_missed_gate(
    command: Command, tmp_path: Path, raised: str
) -> None:
    folder = project(tmp_path, f"def net():\n    raise {raised}\n")
    code = "EK201" if raised in ("GeneratorExit", "SystemExit(0)") else "EK505"
    said = command("build", "--project", folder, *ONNX, "--out", tmp_path / "out").refused(code, 3)
    assert "at model.py:2 in net" in said
    assert raised.partition("(")[0].replace("type", "Mine") in said


@pytest.mark.parametrize("raised", ["GeneratorExit", "SystemExit(0)", "EOFError"])
def test_so_is_what_a_loader_raises(command: Command, tmp_path: Path, raised: str) -> None:
    toml = substitute('calibration = { path = "data.npz"', LOADER, TOML)
    toml = substitute('evaluation = { path = "data.npz"', substitute("calibration", "evaluation", LOADER), toml)
    folder = write_project(tmp_path / "project", f"{MODEL}\ndef data():\n    raise {raised}\n", toml, samples=8)
    said = command("build", "--project", folder, *ONNX, "--out", tmp_path / "out").refused("EK105", 2)
    assert raised.partition("(")[0] in said


@pytest.mark.parametrize("raised", ["GeneratorExit", "SystemExit(0)", "ValueError('three')"])
def test_so_is_what_forward_raises_on_a_sample(command: Command, tmp_path: Path, raised: str) -> None:
    """Long after the model was tried: the last of the samples is dark, and no other."""
    before = "        return self.head("
    dark = "not torch.compiler.is_exporting() and x.amax((1, 2, 3)).min() < -5"
    guard = f"        if {dark}:\n            raise {raised}\n"
    folder = project(tmp_path, substitute(before, guard + before, MODEL))
    images = np.full((8, 8, 8, 3), 128, np.uint8)
    images[7] = 0
    toml = (folder / "edgekit.toml").read_text().replace("std = [0.2, 0.3, 0.4]", "std = [0.05, 0.05, 0.05]")
    (folder / "edgekit.toml").write_text(toml)
    np.savez(folder / "data.npz", image=images, labels=np.arange(8) % 4)
    said = command("build", "--project", folder, *ONNX, "--out", tmp_path / "out").refused("EK202", 3)
    assert f"in forward: {raised.partition('(')[0]}" in said


def test_a_factory_that_eats_memory_is_stopped_and_told_the_limit(tmp_path: Path) -> None:
    folder = project(tmp_path, WITHOUT_TORCH.format("eaten = []\n    while True: eaten.append(bytearray(1 << 24))"))
    env = {memory.VARIABLE: "1200", MARK: str(tmp_path)}
    said = edgekit("build", "--project", folder, *ONNX, env=env, cwd=tmp_path).refused("EK506", 3)
    assert "'edgekit build' held more than 1200 MB of memory, and was stopped" in said
    assert gone(str(tmp_path))


def test_the_limit_is_a_share_of_what_there_is_or_what_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert 0 < memory.limit_bytes() <= memory.SHARE * there
    monkeypatch.setenv(memory.VARIABLE, "300")
    assert memory.limit_bytes() == 300_000_000
    monkeypatch.setenv(memory.VARIABLE, "much")
    with pytest.raises(OptionError, match="EDGEKIT_MEMORY_MB is 'much'"):
        memory.limit_bytes()


def test_a_limit_that_is_no_number_is_refused(tmp_path: Path) -> None:
    edgekit("build", "--target", "host", env={memory.VARIABLE: "much"}, cwd=tmp_path).refused("EK104", 2)


def test_how_a_project_leaves_at_the_exit_changes_nothing(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project", "import atexit, os\natexit.register(os._exit, 7)\nnet = None\n")
    edgekit("build", "--project", folder, *ONNX, cwd=tmp_path).refused("EK201", 3)


def test_ctrl_c_at_a_terminal_is_told_once(tmp_path: Path) -> None:
    """It reaches both processes, and the supervisor hands it on."""
    folder = project(tmp_path, WITHOUT_TORCH.format("open('there', 'w').close(); time.sleep(600)"))
    argv = [*COMMAND, "build", "--project", str(folder), *ONNX]
    with in_terminal(*argv, cwd=tmp_path, env={MARK: str(tmp_path), "TERM": "xterm"}) as terminal:
        assert until((tmp_path / "there").exists)
        shown, _ = terminal.communicate(b"\x03", timeout=300)
    assert terminal.returncode == 3
    assert shown.count(b"error EK504") == 1
    assert b"Traceback" not in shown
    assert gone(str(tmp_path))


def test_a_project_that_heeds_no_signal_is_ended_by_the_third(tmp_path: Path) -> None:
    body = "signal.signal(signal.SIGINT, signal.SIG_IGN); open('there', 'w').close(); time.sleep(600)"
    running = start(
        "build",
        "--project",
        project(tmp_path, WITHOUT_TORCH.format(body)),
        *ONNX,
        env={MARK: str(tmp_path)},
        cwd=tmp_path,
    )
    assert until((tmp_path / "there").exists)
    for _ in range(3):
        assert running.poll() is None
        running.send_signal(signal.SIGINT)
        until(lambda: running.poll() is not None, 1)
    end(running).refused("EK504", 3)
    assert gone(str(tmp_path))


def test_every_command_that_takes_a_project_is_supervised() -> None:
    """But `plan`, which runs nothing of it; `init` writes one, and tries it."""
    takes = {
        name
        for name in HELP
        for command in _commands(load(name))
        if any("--project" in parameter.opts for parameter in command.params)
    }
    assert takes - {"plan"} == COMMANDS - {"init"}


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (("build", "-v"), "build"),
        (("-v", "--log", "status", "run"), "run"),
        (("--verbose", "--log=x", "probe"), "probe"),
        (("--version", "build"), None),
        (("--log",), None),
        ((), None),
    ],
)
def test_the_command_is_known_behind_the_options_of_logging(argv: tuple[str, ...], name: str | None) -> None:
    assert command_in(argv) == name


def _commands(command: typer.core.TyperCommand) -> Iterator[typer.core.TyperCommand]:
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from _commands(below)
