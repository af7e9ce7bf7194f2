"""Lowering in a process of its own, with a time limit: converters crash, hang, print and leak."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from edgekit import plugins
from edgekit.backends.converter_process import IDLE
from edgekit.backends.store import load_artifact
from edgekit.errors import CompileError, EdgekitError, LoweringError, LoweringTimeout, all_errors
from edgekit.ir.artifact import Artifact
from edgekit.specs.compression import Quantize
from edgekit.specs.target import RuntimeSpec, Target

TIMEOUT_S = 900.0
TRIAL_S = 240.0
"""Limit of the trial of a vendor's recipe, in seconds."""
DIED = "try another --backend; where it was SIGKILL, the machine was probably out of memory"


class Lowering:
    """Worker process for one backend. It starts at once, so that its imports overlap with capturing the program;
    one that an earlier build of this process has left is used again.

    backend: name of its entry point. timeout_s: limit of one lowering, in seconds. Raises UnknownName at once.
    """

    def __init__(self, backend: str, timeout_s: float = TIMEOUT_S) -> None:
        plugins.load("backends", backend)  # an unknown name is an error here, not in the worker
        self._timeout_s = timeout_s
        self._backend = backend
        self._lock = threading.Lock()
        self._timed_out = False
        self._ended = False
        self._running = 0
        self._worker = IDLE.take(backend)
        self._log_start = os.fstat(self._worker.log.fileno()).st_size

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *error: object) -> None:
        """Leave the worker to the next build if all went well; end it after an error, or if a job is running."""
        with self._lock:
            self._ended = True  # for a thread that has yet to begin a job
            idle = not self._running
        if kind is None and idle:
            IDLE.give(self._worker)
        else:
            self._worker.close()

    def lower(
        self,
        program: Path,
        checks: Path,
        target: Target,
        runtime: RuntimeSpec,
        out: Path,
        recipe: Quantize | None = None,
        floating: Path | None = None,
        half: Path | None = None,
    ) -> Artifact:
        """Lower the program in the folder `program` into the folder `out`, and verify it on the samples in `checks`.

        recipe: the compression that the backend carries out during lowering, if any. floating: folder of the float
        program that a quantized one was made from. half: folder of samples on which values that float16 does not hold
        are looked for. The program's history is written into `out` too. Raises what the
        backend raises, LoweringTimeout, or LoweringError with the converter's last lines.
        """
        job = {
            "program": str(program),
            "checks": str(checks),
            "target": target.model_dump(mode="json", by_alias=True),
            "runtime": runtime.model_dump(mode="json"),
            "out": str(out),
            "recipe": recipe.model_dump(mode="json") if recipe else None,
            "float": str(floating) if floating else None,
            "half": str(half) if half else None,
        }
        self._answer(job, self._timeout_s)
        return load_artifact(out)

    def try_vendor(self, program: Path, samples: Path, checks: Path, dynamic: bool = False) -> float | None:
        """Try the vendor's plain recipe on the float program in the folder `program`.

        samples, checks: folders of the calibration set and of the samples that quality is measured on. dynamic:
        activations are rounded as they come, in place of static ranges. Returns the SQNR against the program in dB,
        None if the backend knows no recipe of a vendor's. Raises LoweringError if the vendor's tools fail,
        LoweringTimeout after 240 s.
        """
        job = {"trial": str(program), "samples": str(samples), "checks": str(checks), "dynamic": dynamic}
        quality_db: float | None = self._answer(job, TRIAL_S)["sqnr_db"]
        return quality_db

    def call(
        self, function: Callable[..., None], arguments: Mapping[str, Any], out: Path, imports: tuple[str, ...] = ()
    ) -> None:
        """Call a function of a module in a fork of the process, which has the converter's packages imported.

        arguments: keyword arguments that JSON holds; `out`, the folder that the function writes to, is added. imports:
        modules that later calls need too: they are imported before the fork. There is no time limit. Raises what the
        function raises, if that is an EdgekitError; else LoweringError.
        """
        job = {
            "function": f"{function.__module__}:{function.__qualname__}",
            "arguments": {**arguments, "out": str(out)},
            "imports": [function.__module__, *imports],
        }
        self._answer(job, None)

    def _answer(self, job: dict[str, Any], limit_s: float | None) -> dict[str, Any]:
        """Answer to a job. Raises the error that the job ended with."""
        with self._lock:
            if self._ended:
                raise LoweringError(f"the worker of backend '{self._backend}' has ended", hint="build it again")
            self._running += 1
        try:
            with self._time_limit(limit_s):
                answer = self._worker.answer(job)
        finally:
            with self._lock:
                self._running -= 1
        if answer is None:
            raise self._death(limit_s)
        if answer["code"]:
            raise _error(answer, self._tail())
        return answer

    def _death(self, limit_s: float | None) -> LoweringError:
        """Error of a job that its process ended without an answer to."""
        if self._timed_out and limit_s:
            return LoweringTimeout(
                f"backend '{self._backend}' did not finish within {limit_s:.0f} s and was stopped",
                hint="try another --backend, or a smaller model",
            )
        return LoweringError(f"the worker of backend '{self._backend}' died{_quoted(self._tail())}", hint=DIED)

    @contextlib.contextmanager
    def _time_limit(self, limit_s: float | None) -> Iterator[None]:
        if limit_s is None:
            yield
            return
        timer = threading.Timer(limit_s, self._expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _expire(self) -> None:
        self._timed_out = True
        self._worker.kill()

    def _tail(self, lines: int = 3) -> str:
        self._worker.log.seek(self._log_start)
        text = self._worker.log.read().decode("utf-8", "replace")
        written = [line.strip() for line in text.splitlines() if line.strip()]
        return "; ".join(written[-lines:])[-600:]


def _error(answer: dict[str, Any], log: str) -> EdgekitError:
    by_code = {kind.code: kind for kind in all_errors()}
    kind = by_code.get(answer["code"], CompileError)
    died = kind is LoweringError and "process" in answer["message"]
    return kind(answer["message"] + (_quoted(log) if died else ""), hint=DIED if died else answer["hint"])


def _quoted(log: str) -> str:
    return f"; it wrote: {log}" if log else ""
