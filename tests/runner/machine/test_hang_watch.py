"""Limit on calls that hang: the process ends with an answer, or, where it is overseen, the hang is an error there."""

from __future__ import annotations

import os
import time
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from edgekit.runner.errors import RunnerError
from edgekit.runner.machine import hang_watch
from edgekit.runner.machine.hang_watch import HangWatch, overseen
from edgekit.runner.machine.timed_child import in_child


def hang() -> dict[str, Any]:
    with HangWatch().within(0.1, "an inference"):
        time.sleep(20)
    return {}


def test_a_process_that_hangs_answers_and_ends() -> None:
    started = time.monotonic()
    with pytest.raises(RunnerError, match=r"an inference took longer than 0\.1 s") as told:
        in_child(hang, 15)
    assert told.value.kind == "hung"
    assert time.monotonic() - started < 10


def test_a_hang_that_is_overseen_is_an_error_and_the_process_goes_on() -> None:
    process = os.getpid()
    with pytest.raises(RunnerError, match=r"an inference took longer than 0\.1 s") as told:
        overseen(hang)
    assert (told.value.kind, os.getpid()) == ("hung", process)


def test_blocks_in_time_are_left_alone_however_long_they_take_together(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, looks = [0.0], SimpleQueue[None]()

    def look(_: float) -> None:
        looks.put(None)
        time.sleep(0.001)

    monkeypatch.setattr(hang_watch, "time", SimpleNamespace(monotonic=lambda: now_s[0], sleep=look))

    def quick() -> str:
        watch = HangWatch()
        for _ in range(3):
            with watch.within(10, "an inference"):
                now_s[0] += 6
                for _ in range(looks.qsize() + 2):  # those of before, and two: the watch has looked in between
                    looks.get()
        return "answer"

    assert overseen(quick) == "answer"


def test_answers_and_errors_come_through() -> None:
    assert overseen(lambda: "answer") == "answer"
    with pytest.raises(ZeroDivisionError):
        overseen(lambda: 1 // 0)
