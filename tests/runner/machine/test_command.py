from __future__ import annotations

import time
from pathlib import Path

import pytest

from edgekit.runner.machine import command as asking
from edgekit.runner.machine.command import command_output
from tests.failing_converters import until
from tests.runner.board_files import install


def test_a_program_is_heard_to_its_end() -> None:
    assert command_output("printf", "one\\ntwo\\n") == "one\ntwo\n"


def test_an_absent_program_says_nothing() -> None:
    assert command_output("no-such-program-at-all") == ""


def test_what_cannot_be_run_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, {"broken": ""}, monkeypatch)
    (tmp_path / "broken").write_bytes(b"\x7fELF no program")
    assert command_output("broken") == ""


def test_an_endless_program_is_ended_after_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LIMIT_S", 60.0)
    install(tmp_path, {"endless": f"echo $$ >{tmp_path}/pid; while echo line; do sleep 0.05; done"}, monkeypatch)
    start = time.monotonic()
    assert command_output("endless", lines=1).startswith("line\n")
    assert time.monotonic() - start < asking.LIMIT_S
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_a_slow_program_is_ended_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LIMIT_S", 3.0)
    install(tmp_path, {"slow": f"sleep 600 & echo $! >{tmp_path}/child; echo started; wait"}, monkeypatch)
    assert command_output("slow") == "started\n"
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}")
    assert until(lambda: not child.exists() or state(child) in ("Z", "X"))


def state(process: Path) -> str:
    """One letter, as the kernel has it: whoever adopts what was killed may not have buried it yet."""
    try:
        return (process / "stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "X"


def test_a_program_that_floods_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "LIMIT_BYTES", 1000)
    assert command_output("yes") == "y\n" * 500


def test_bytes_that_are_no_text_do_not_raise() -> None:
    assert command_output("printf", "\\377\\376ok") == "\ufffd\ufffdok"
