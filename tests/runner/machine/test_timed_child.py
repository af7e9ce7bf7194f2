"""Work in a child process: its document, its failure, its death, and the end of its time."""

from __future__ import annotations

import atexit
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from edgekit.runner.errors import RunnerError
from edgekit.runner.failure import exit_with
from edgekit.runner.machine.timed_child import in_child


def hang() -> dict[str, Any]:
    signal.pause()
    return {}


def die() -> dict[str, Any]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def _children() -> set[str]:
    """Children of this process, those that nobody has waited for among them; other tests may have left some."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_the_document_of_the_child_is_returned() -> None:
    assert in_child(lambda: {"pid_differs": os.getpid()}, 10)["pid_differs"] != os.getpid()


def test_a_failure_of_the_child_is_raised_with_its_kind() -> None:
    def refuse() -> dict[str, Any]:
        raise RunnerError("data", "no such model")

    with pytest.raises(RunnerError, match="no such model") as error:
        in_child(refuse, 10)
    assert error.value.kind == "data"
    with pytest.raises(RunnerError, match="ZeroDivisionError"):
        in_child(lambda: {"never": 1 // 0}, 10)


def test_a_child_that_hangs_is_ended_when_its_time_is_over() -> None:
    started, others = time.monotonic(), _children()
    with pytest.raises(RunnerError, match=r"no answer within 0\.3 s") as error:
        in_child(hang, 0.3)
    assert error.value.kind == "hung"
    assert time.monotonic() - started < 5
    assert _children() <= others


def test_what_the_work_registers_at_exit_is_run_and_nothing_of_the_parent_s(tmp_path: Path) -> None:
    def work() -> dict[str, Any]:
        atexit.register((tmp_path / "sealed").touch)
        return {"value": 1}

    atexit.register(of_parent := (tmp_path / "of the parent").touch)
    try:
        assert in_child(work, 10) == {"value": 1}
    finally:
        atexit.unregister(of_parent)
    assert [path.name for path in tmp_path.iterdir()] == ["sealed"]


def test_a_child_that_a_watch_ends_answers_its_parent() -> None:
    def watched() -> dict[str, Any]:
        exit_with(RunnerError("hung", "an inference took longer than 1 s"))

    with pytest.raises(RunnerError, match="an inference took longer than 1 s") as error:
        in_child(watched, 10)
    assert error.value.kind == "hung"


def test_a_child_that_a_driver_kills_says_by_which_signal() -> None:
    with pytest.raises(RunnerError, match="the process died by signal 9") as error:
        in_child(die, 10)
    assert error.value.kind == "run"
