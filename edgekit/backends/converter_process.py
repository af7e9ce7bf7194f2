"""Worker processes of converters, and those that wait for the next build of this process.

Importing a converter takes 2 to 7 s of CPU. A worker keeps nothing of a job, which runs in a fork of its own; so one
that has ended its jobs well serves the next build for its backend, if that would start it in the same circumstances.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any, Self

from edgekit.errors import LoweringError

IDLE_COUNT = 3
"""Most workers that wait: one for each of edgekit's own backends. Each holds 0.3 to 0.5 GB."""


class ConverterProcess:
    """Worker process for one backend, which `edgekit.backends.lowering_worker` serves.

    Jobs of several threads run side by side, each in a fork of its own.
    """

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.circumstances = _Circumstances.of(backend)
        self.log = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "edgekit.backends.lowering_worker", backend, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            start_new_session=True,
            text=True,
            env=_environment(),
        )
        self._numbers = itertools.count()
        self._pending: dict[int, Future[dict[str, Any] | None]] = {}
        self._has_ended = False
        self._lock = threading.Lock()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def answer(self, job: dict[str, Any]) -> dict[str, Any] | None:
        """Run a job to its end. Returns its answer; None if the process ended without one."""
        requests, _ = self._pipes()
        future: Future[dict[str, Any] | None] = Future()
        with self._lock:
            if self._has_ended:
                return None
            number = next(self._numbers)
            self._pending[number] = future
            with contextlib.suppress(BrokenPipeError):
                requests.write(json.dumps({**job, "number": number}) + "\n")
                requests.flush()
        return future.result()

    def _read(self) -> None:
        """Pass answers on to who waits for them, until the process ends."""
        _, answers = self._pipes()
        for line in answers:
            if line.startswith("{"):
                answer: dict[str, Any] = json.loads(line)
                with self._lock:
                    future = self._pending.pop(answer["number"])
                future.set_result(answer)
        with self._lock:
            self._has_ended = True
            for future in self._pending.values():
                future.set_result(None)

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        """Return the streams for requests and for answers."""
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise LoweringError(f"the worker of backend '{self.backend}' has no pipes")
        return stdin, stdout

    def kill(self) -> None:
        """Kill it and all that it started; its pipes then end."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def close(self) -> None:
        """Kill it, wait for its end, and close its streams."""
        self.kill()
        self._process.wait()
        self._reader.join()
        for stream in (*self._pipes(), self.log):
            with contextlib.suppress(OSError):  # a pipe whose reader is gone cannot be flushed
                stream.close()


class IdleConverters:
    """Workers that wait for a build, at most `count`, the oldest first."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._workers: list[ConverterProcess] = []

    def take(self, backend: str) -> ConverterProcess:
        """Return a worker that waits and would be started as it was; a new one if there is none."""
        wanted, dead = _Circumstances.of(backend), []
        with self._lock:
            alike = [worker for worker in self._workers if worker.circumstances == wanted]
            for worker in alike:
                self._workers.remove(worker)
                if worker.alive:
                    return worker
                dead.append(worker)
        for worker in dead:
            worker.close()
        return ConverterProcess(backend)

    def give(self, worker: ConverterProcess) -> None:
        """Keep a worker that no job is running in, or end it.

        Linux ends a worker together with the thread that started it: only the main thread's are kept. What was put
        into the environment while it was in use, by the import of torch or by a project, is no reason for another one.
        """
        if not worker.alive or threading.current_thread() is not threading.main_thread():
            worker.close()
            return
        worker.circumstances = replace(worker.circumstances, environment=_environment())
        with self._lock:
            self._workers.append(worker)
            surplus = self._workers[: -self._count]
            del self._workers[: -self._count]
        for other in surplus:
            other.close()

    def close(self) -> None:
        """End all that wait, but for those of a process that this one is a fork of."""
        with self._lock:
            own = [worker for worker in self._workers if worker.circumstances.parent == os.getpid()]
            self._workers.clear()
        for worker in own:
            worker.close()


IDLE = IdleConverters(IDLE_COUNT)
"""The workers of this process that wait. They end with it."""
atexit.register(IDLE.close)


@dataclass(frozen=True)
class _Circumstances:
    """Circumstances in which a worker is started."""

    parent: int
    """Process ID."""
    backend: str
    folder: Path
    environment: dict[str, str]

    @classmethod
    def of(cls, backend: str) -> Self:
        """Circumstances of a worker that would be started now."""
        return cls(os.getpid(), backend, Path.cwd(), _environment())


def _environment() -> dict[str, str]:
    """Environment of a worker: the caller's, this edgekit first on the path, one thread, no progress or telemetry."""
    here = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, (here, os.environ.get("PYTHONPATH", ""))))
    quiet = {"TQDM_DISABLE": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "ORT_DISABLE_TELEMETRY": "1"}
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", **quiet}
