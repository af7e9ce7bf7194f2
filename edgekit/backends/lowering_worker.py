"""Worker process of lowering: it imports one backend's converter, then forks a child for every job.

`python -m edgekit.backends.lowering_worker BACKEND PARENT` reads one JSON job a line and answers each with a
line; jobs run side by side. Converters print at will: file descriptor 1 is redirected to standard error before they are
imported.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from edgekit import plugins
from edgekit.backends.base import Backend
from edgekit.backends.store import save_artifact
from edgekit.cache import storage_errors
from edgekit.errors import EdgekitError, LoweringError
from edgekit.ir.artifact import Artifact
from edgekit.parent_death import die_with_parent
from edgekit.runner.model.accelerator import QNN_HTP
from edgekit.specs.compression import Quantize
from edgekit.specs.target import RuntimeSpec, Target

if TYPE_CHECKING:
    from edgekit.ir.program import Program

PIPE_BYTES = 1 << 16
"""Largest answer of a child, in bytes: the size of a pipe."""
PRELOAD = (
    "edgekit.frontend.store",
    "edgekit.backends.verify",
    "edgekit.frontend.lowering_failures",
    "torch.export.pt2_archive",
    "torch.export._trace",
    "torch._functorch.aot_autograd",
)
"""Modules that every job needs, whichever the backend: a child that imported them itself would do so for each job."""
POLL_S = 0.02
"""Interval in which it looks whether a child has ended, in seconds."""
MESSAGE_LIMIT = 4000
"""Largest message, in characters: an answer must fit into a pipe that nobody reads yet."""


def main(name: str, parent: int) -> None:
    """Serve jobs until standard input or the process `parent` (a process ID) ends. name: entry point of the backend."""
    die_with_parent(parent)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    backend: Backend = plugins.load("backends", name)()
    for module in (*backend.preload, *PRELOAD):
        importlib.import_module(module)
    # No job frees what was imported: its collections of garbage would visit a million objects, and copy their pages.
    gc.freeze()
    answers.write("ready\n")
    children: list[_Child] = []
    for line in _lines(children):
        if line:
            job = json.loads(line)
            _import(job.get("imports", ()))
            children.append(_in_child(backend, job, answers))
        for child in [child for child in children if child.has_ended]:
            children.remove(child)
            answers.write(json.dumps(child.answer) + "\n")


@dataclass
class _Child:
    """Fork that runs one job."""

    number: int
    """Number of the job."""
    pid: int
    reader: int
    """File descriptor of the pipe that its answer comes by."""
    status: int = 0

    @property
    def has_ended(self) -> bool:
        pid, self.status = os.waitpid(self.pid, os.WNOHANG)
        return pid != 0

    @property
    def answer(self) -> dict[str, Any]:
        """Its answer, or an error if it died without one; told once it has ended."""
        reply = _read_available(self.reader)
        if reply:
            answer: dict[str, Any] = json.loads(reply)
            return {**answer, "number": self.number}
        code = os.waitstatus_to_exitcode(self.status)
        how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        message = f"the converter process {how}"
        return {"code": LoweringError.code, "message": message, "hint": None, "number": self.number}


def _lines(children: list[_Child]) -> Iterator[str]:
    """Lines of standard input until it ends; an empty one now and then while there are children."""
    rest = b""
    while True:
        ready, _, _ = select.select([0], [], [], POLL_S if children else None)
        data = os.read(0, PIPE_BYTES) if ready else b""
        if ready and not data:
            return
        *lines, rest = (rest + data).split(b"\n")
        yield from (line.decode() for line in lines)
        yield ""


def _import(modules: list[str]) -> None:
    """Import modules for every child to come. One that fails does so in the child, which tells it."""
    for module in modules:
        with contextlib.suppress(Exception):
            importlib.import_module(module)


def _in_child(backend: Backend, job: dict[str, Any], answers: TextIO) -> _Child:
    """Run one job in a fork."""
    reader, writer = os.pipe()
    worker, child = os.getpid(), os.fork()
    if child == 0:
        die_with_parent(worker)
        answers.close()
        # Nothing may return from here into the parent's loop.
        try:
            os.write(writer, json.dumps(_job(backend, job)).encode())
        except BaseException:  # noqa: BLE001  reported through the exit status
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    os.close(writer)
    return _Child(job["number"], child, reader)


def _read_available(reader: int) -> bytes:
    """Read what the pipe holds now: its end may never come, if a converter left a process behind."""
    os.set_blocking(reader, False)
    try:
        return os.read(reader, PIPE_BYTES)
    except BlockingIOError:
        return b""
    finally:
        os.close(reader)


def _job(backend: Backend, job: dict[str, Any]) -> dict[str, Any]:
    from edgekit.backends.converter_recipes import record
    from edgekit.backends.group_remainders import remainder_warning
    from edgekit.backends.half_range import check_half_range
    from edgekit.backends.npu_check import check_on_npu
    from edgekit.backends.verify import verify
    from edgekit.frontend.allocator import return_freed_memory
    from edgekit.frontend.program_size import weight_sizes
    from edgekit.frontend.store import PROGRAM, load_program, save_history

    if "trial" in job:
        return _trial(backend, job)
    if "function" in job:
        return _call(job)
    out = Path(job["out"])
    try:
        with storage_errors(out):
            if weight_sizes(Path(job["program"]) / PROGRAM).is_large:
                return_freed_memory()
            program = load_program(Path(job["program"]))
            target, runtime = Target.model_validate(job["target"]), RuntimeSpec.model_validate(job["runtime"])
            recipe = Quantize.model_validate(job["recipe"]) if job["recipe"] else None
            captured, ranged = job["float"], job["half"]
            floating = (lambda: load_program(Path(captured))) if captured else None
            in_float = floating() if floating and ranged else program
            halved = check_half_range(in_float, Path(ranged), recipe, target, runtime) if ranged else None
            started = time.perf_counter()
            artifact = _lowered(backend, program, target, runtime, out, recipe)
            seconds = time.perf_counter() - started
            # A file says nothing of state: which output goes where is the project's word.
            artifact = replace(artifact, signature=replace(artifact.signature, **_stated(program)))
            quality = verify(artifact, program, Path(job["checks"]), out / "golden", recipe, floating)
            checked = (
                (check_on_npu(artifact, target, Path(job["checks"]), out, floating),)
                if QNN_HTP in runtime.delegates
                else ()
            )
            save_artifact(artifact, out)
            warning = remainder_warning(program.exported, recipe, artifact.format) if recipe else None
            at_lowering = (record(recipe, seconds, quality, warning),) if recipe else ()
            save_history((*program.history, *at_lowering, *checked, *filter(None, (halved,))), out)
    except EdgekitError as error:
        return {"code": error.code, "message": str(error)[:MESSAGE_LIMIT], "hint": error.hint}
    return {"code": None}


def _stated(program: Program) -> dict[str, Any]:
    return {"state": program.signature.state, "prefill": program.signature.prefill}


def _lowered(
    backend: Backend, program: Program, target: Target, runtime: RuntimeSpec, out: Path, recipe: Quantize | None
) -> Artifact:
    """Lower the program; the error of a converter names the construct of the network that it does not take."""
    from edgekit.frontend.lowering_failures import lowering_error

    try:
        return backend.lower(program, target, runtime, out, recipe)
    except LoweringError as error:
        raise lowering_error(error, program.exported) from error


def _trial(backend: Backend, job: dict[str, Any]) -> dict[str, Any]:
    """Answer to a job that tries the vendor's recipe: `sqnr_db`, None without a recipe, or the error of its tools."""
    from edgekit.backends.vendor_trial import vendor_trial
    from edgekit.frontend.store import load_program

    try:
        program = load_program(Path(job["trial"]))
        quality_db = vendor_trial(backend, program, Path(job["samples"]), Path(job["checks"]), job["dynamic"])
    except EdgekitError as error:
        return {"code": error.code, "message": str(error)[:MESSAGE_LIMIT], "hint": error.hint}
    return {"code": None, "sqnr_db": quality_db}


def _call(job: dict[str, Any]) -> dict[str, Any]:
    """Answer to a job that names a function of a module and its arguments."""
    module, _, name = job["function"].partition(":")
    try:
        with storage_errors(Path(job["arguments"]["out"])):
            getattr(importlib.import_module(module), name)(**job["arguments"])
    except EdgekitError as error:
        return {"code": error.code, "message": str(error)[:MESSAGE_LIMIT], "hint": error.hint}
    return {"code": None}


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
