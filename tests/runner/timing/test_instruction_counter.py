"""Instructions, where this machine's kernel lends a counter; many virtual machines have none."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgekit.runner.errors import RunnerError
from edgekit.runner.timing.instruction_counter import Counter
from tests.runner import slot
from tests.runner.conftest import Answer, Bare

STILL = """
import ctypes, os
from runner.timing.deterministic import run_deterministically

run_deterministically()
kept = sorted(name for name in os.environ if name.startswith(("SSH_", "PYTHONPATH")))
fixed = ctypes.CDLL(None).personality(ctypes.c_ulong(0xFFFFFFFF)) & 0x40000
print(hash("edgekit"), hex(id(None)) if fixed else "wherever", *kept)
"""


@pytest.fixture
def refusal() -> str | None:
    """Why nothing is counted here; None where it is."""
    try:
        with Counter():
            return None
    except RunnerError as error:
        return f"{error.kind}: {error}"


@pytest.fixture
def counter(refusal: str | None) -> None:
    if refusal:
        pytest.skip(refusal)


def _ask(bare: Bare, tmp_path: Path, format: str = "onnx", count: int = 5) -> Answer:
    model = slot.write_slot(tmp_path / "slot", format)
    (tmp_path / "in").mkdir()
    for name, array in slot.inputs(2).items():
        np.save(tmp_path / "in" / f"{name}.npy", array)
    return bare.ask("instructions", model, "--inputs", tmp_path / "in", "--out", tmp_path / "out", "--count", count)


@pytest.mark.usefixtures("counter")
@pytest.mark.parametrize("format", slot.FORMATS)
def test_instructions_are_one_number_an_inference(bare: Bare, tmp_path: Path, format: str) -> None:
    answer = _ask(bare, tmp_path, format)
    assert answer.code == 0, answer.stderr
    counts = np.load(tmp_path / "out" / "instructions.npy")
    assert (counts.dtype, len(counts), answer.document["count"]) == (np.int64, 5, 5)
    assert counts.min() > 1000


@pytest.mark.usefixtures("counter")
def test_twice_the_work_is_twice_the_instructions() -> None:
    with Counter() as counting:
        once, twice = (min(counting.each(lambda n: sum(range(n)), n, 20)) for n in (100_000, 200_000))
    assert twice / once == pytest.approx(2, rel=0.02)


def test_a_kernel_that_lends_no_counter_is_an_error_that_says_so(
    bare: Bare, tmp_path: Path, refusal: str | None
) -> None:
    if refusal is None:
        pytest.skip("this kernel lends one")
    answer = _ask(bare, tmp_path)
    assert (answer.code, answer.document["kind"]) == (1, "counter")
    assert answer.document["error"].startswith(("the kernel gives no instruction counter: ", "instructions are not"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("count", [0, -1])
def test_no_inference_is_nothing_to_count(bare: Bare, tmp_path: Path, count: int) -> None:
    assert _ask(bare, tmp_path, count=count).document["kind"] == "usage"


def test_a_program_that_holds_still_is_the_same_every_time(bare: Bare) -> None:
    def printed(session: str) -> str:
        environment = {"PYTHONPATH": str(bare.folder), "SSH_CONNECTION": session}
        argv = [sys.executable, "-c", STILL]
        return subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout

    first, second = printed("10.0.2.2 9 22"), printed("10.0.2.2 50100 22")
    assert first == second
    assert first.split()[2:] == ["PYTHONPATH"]
