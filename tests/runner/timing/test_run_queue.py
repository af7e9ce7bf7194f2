from __future__ import annotations

import os
from pathlib import Path

import pytest

from edgekit.runner.timing.run_queue import waited_ns
from tests.runner.board_files import plant

HERE = Path(f"/proc/self/task/{os.getpid()}/schedstat")


def test_the_waits_of_all_threads_add_up(tmp_path: Path) -> None:
    # Linux, Documentation/scheduler/sched-stats.rst: time on the cpu, time waiting for it, times it was given.
    plant(tmp_path, {"proc/self/task/100/schedstat": "6345021 1274833 25\n"})
    plant(tmp_path, {"proc/self/task/101/schedstat": "88 12 1\n", "proc/self/task/102/schedstat": ""})
    assert waited_ns(tmp_path) == 1274845


def test_a_kernel_that_does_not_count_leaves_it_unknown(tmp_path: Path) -> None:
    assert waited_ns(tmp_path) is None
    assert waited_ns(plant(tmp_path, {"proc/self/task/100/schedstat": "no numbers\n"})) is None


@pytest.mark.skipif(not HERE.exists(), reason="this kernel does not count")
def test_this_machine_counts_up() -> None:
    before, after = waited_ns(), waited_ns()
    assert before is not None
    assert after is not None
    assert after >= before > 0
