from __future__ import annotations

import os
import subprocess
import sys

import pytest

from edgekit.runner.errors import RunnerError
from edgekit.runner.timing.affinity import pin

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")

PINNED = """
import os, threading
from edgekit.runner.timing.affinity import pin
last = max(os.sched_getaffinity(0))
pin([last])
seen = []
thread = threading.Thread(target=lambda: seen.append(os.sched_getaffinity(0)))
thread.start()
thread.join()
print(os.sched_getaffinity(0) == seen[0] == {last})
"""


def test_a_pinned_program_keeps_its_threads_to_its_cores() -> None:
    done = subprocess.run([sys.executable, "-c", PINNED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "True\n"


def test_cores_that_do_not_exist_are_refused_with_those_that_do() -> None:
    before = os.sched_getaffinity(0)
    with pytest.raises(RunnerError) as refused:
        pin([min(before), 4096, 9999])
    assert refused.value.kind == "usage"
    known = ", ".join(map(str, sorted(before)))
    assert str(refused.value) == f"there is no core 4096, 9999: this program may use {known}"
    assert os.sched_getaffinity(0) == before


def test_no_core_named_is_no_wish() -> None:
    before = os.sched_getaffinity(0)
    pin([])
    assert os.sched_getaffinity(0) == before
