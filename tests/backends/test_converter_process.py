"""Workers of converters serve one build after another, and none that is to be another one or that failed."""

from __future__ import annotations

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from edgekit.backends import lowering_process
from edgekit.backends.converter_process import ConverterProcess, IdleConverters
from edgekit.backends.lowering_process import Lowering
from edgekit.errors import LoweringError, PassError


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> IdleConverters:
    """An empty pool of two, in place of the session's."""
    pool = IdleConverters(2)
    monkeypatch.setattr(lowering_process, "IDLE", pool)
    return pool


def test_a_worker_serves_the_next_build_in_the_same_circumstances_alone(
    idle: IdleConverters, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with Lowering("onnx") as lowering:
        first = lowering._worker
        monkeypatch.setenv("EDGEKIT_TEST", "0")  # as the import of torch does, or a project's code
    with Lowering("onnx") as lowering, Lowering("onnx") as other, Lowering("tflite") as third:
        assert lowering._worker is first
        assert len({first, other._worker, third._worker}) == 3
    # The pool holds two: the one that was given back first was ended.
    assert [worker._worker.alive for worker in (third, other, lowering)] == [False, True, True]
    monkeypatch.setenv("EDGEKIT_TEST", "1")
    with Lowering("onnx") as another:
        assert another._worker not in (first, other._worker)
    monkeypatch.chdir(tmp_path)
    with Lowering("onnx") as elsewhere:
        assert elsewhere._worker is not another._worker
    idle.close()


def test_a_worker_that_died_or_is_at_work_serves_nobody_else(idle: IdleConverters) -> None:
    with Lowering("onnx") as lowering:
        dead = lowering._worker
        dead.kill()
        dead._process.wait()
    with Lowering("onnx") as lowering:
        busy = lowering._worker
        assert busy is not dead
        lowering._running += 1  # as a thread does whose job is running
    assert not busy.alive
    assert idle._workers == []


def test_a_job_after_the_end_is_refused(idle: IdleConverters) -> None:
    with Lowering("onnx") as lowering:
        pass
    with pytest.raises(LoweringError, match="has ended"):
        lowering.try_vendor(Path("program"), Path("samples"), Path("checks"))
    idle.close()
    assert not lowering._worker.alive


def meet(mine: str, other: str, out: str) -> None:
    """Leave a note, and wait for that of another job."""
    (Path(out) / mine).write_text(str(os.getppid()))
    deadline = time.monotonic() + 60
    while not (Path(out) / other).exists():
        if time.monotonic() > deadline:
            raise PassError(f"'{other}' never came", hint="let jobs run side by side")
        time.sleep(0.01)


def refuse(out: str) -> None:
    raise PassError(f"nothing can be done in '{out}'", hint="take another folder")


def die(out: str) -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def test_calls_run_side_by_side_in_forks_of_one_process(idle: IdleConverters, tmp_path: Path) -> None:
    with Lowering("onnx") as lowering, ThreadPoolExecutor(1) as pool:
        other = pool.submit(lowering.call, meet, {"mine": "a", "other": "b"}, tmp_path)
        lowering.call(meet, {"mine": "b", "other": "a"}, tmp_path)
        other.result()
        assert {(tmp_path / name).read_text() for name in ("a", "b")} == {str(lowering._worker._process.pid)}
        with pytest.raises(PassError, match="nothing can be done in") as refusal:
            lowering.call(refuse, {}, tmp_path)
        assert refusal.value.hint == "take another folder"
        with pytest.raises(LoweringError, match="killed by SIGSEGV"):
            lowering.call(die, {}, tmp_path)
        assert lowering._worker.alive  # a crash ends its fork alone
    idle.close()


def test_a_worker_of_a_thread_that_linux_ends_with_it_is_not_kept(idle: IdleConverters) -> None:
    workers: list[ConverterProcess] = []

    def build() -> None:
        with Lowering("onnx") as lowering:
            workers.append(lowering._worker)

    thread = threading.Thread(target=build)
    thread.start()
    thread.join()
    assert not workers[0].alive
    assert idle._workers == []
