"""Verb `throughput`: samples a second of several instances of a model at once, each a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import RunnerError
from ..machine import system
from ..model.manifest import read_manifest
from ..timing.disturbance import busy_ns

if TYPE_CHECKING:
    from ..model.accelerator import Accelerator
    from ..model.manifest import RunnerManifest
    from ..model.tensors import Array
    from ..runtimes.model import LoadedModel

WARM_UP_COUNT, WARM_UP_S = 16, 1.0
SUMMED = ("peak_rss_bytes", "empty_rss_bytes")


def throughput(
    slot: Path,
    inputs: Path,
    threads: int,
    instances: int,
    min_duration_s: float,
    accelerator: Accelerator | None = None,
) -> dict[str, Any]:
    """Run the first samples in `inputs`, cycled, on every instance for `min_duration_s` seconds.

    The batch is the size of the first axis of the model's inputs. In the spirit of MLPerf Inference's Offline scenario:
    all samples are there from the start. Instances are processes, not threads: the Python bindings of ExecuTorch hold
    the interpreter's lock while they run (1.5.1), and its threads are one pool a process. Raises RunnerError, of an
    instance as of this one.
    """
    manifest = read_manifest(slot, accelerator)
    waiting, go = os.pipe()
    running: list[_Instance] = []
    try:
        for _ in range(instances):
            running.append(_Instance(manifest, inputs, threads, min_duration_s, (waiting, go)))
        for instance in running:
            instance.next_document()
        before_ns = busy_ns()
        os.close(go)
        results = [instance.next_document() for instance in running]
        after_ns = busy_ns()
    finally:
        for instance in running:
            instance.end()
    duration_ns = max(result["ended_ns"] for result in results) - min(result["started_ns"] for result in results)
    count, cpu_ns = sum(result["count"] for result in results), sum(result["cpu_ns"] for result in results)
    others = None if before_ns is None or after_ns is None else max(0, after_ns - before_ns - cpu_ns) / duration_ns
    batch = manifest.sampled[0].shape[0]
    return {
        **results[0]["facts"],
        **{name: _sum([result["facts"][name] for result in results]) for name in SUMMED},
        "instances": instances,
        "batch": batch,
        "count": count,
        "duration_s": duration_ns / 1e9,
        "samples_per_s": count * batch * 1e9 / duration_ns,
        "cores": cpu_ns / duration_ns,
        "others_cores": others,
    }


class _Instance:
    """A process with a model of its own. It writes a JSON line when it is ready, and one with its result at the end."""

    def __init__(
        self, manifest: RunnerManifest, inputs: Path, threads: int, seconds: float, pipe: tuple[int, int]
    ) -> None:
        reader, writer = os.pipe()
        # Before numpy or a runtime is imported: their threads would not come along, and their locks might.
        self._pid = os.fork()
        if self._pid:
            os.close(writer)
            self._reader = os.fdopen(reader, encoding="utf-8")
            return
        with contextlib.suppress(BaseException), os.fdopen(writer, "w", encoding="utf-8") as out:
            os.close(pipe[1])
            _run_instance(manifest, inputs, threads, seconds, pipe[0], out)
        os._exit(0)

    def next_document(self) -> dict[str, Any]:
        """Read its next line. Raises RunnerError if it failed or died."""
        line = self._reader.readline()
        if not line:
            raise RunnerError("run", "an instance died: is there memory for as many?")
        document: dict[str, Any] = json.loads(line)
        if "error" in document:
            raise RunnerError(document["kind"], document["error"])
        return document

    def end(self) -> None:
        with contextlib.suppress(OSError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        self._reader.close()


def _run_instance(manifest: RunnerManifest, inputs: Path, threads: int, seconds: float, waiting: int, out: Any) -> None:
    def say(**document: Any) -> None:
        out.write(json.dumps(document) + "\n")
        out.flush()

    try:
        from ..model.sequences import read_steps
        from ..model.tensors import batches
        from ..runtimes.model import LoadedModel
        from ..timing.loop import run_untimed

        columns, steps = read_steps(inputs, manifest)
        samples = batches(columns, manifest.sampled[0].shape[0])
        model = LoadedModel.load(manifest, threads, samples[0], steps=steps)
        run_untimed(model.call, samples, WARM_UP_COUNT, WARM_UP_S)
        say(ready=True)
        os.read(waiting, 1)
        say(**_measure(model, samples, int(seconds * 1e9)))
    except RunnerError as error:
        say(error=str(error), kind=error.kind)
    except MemoryError:
        say(error="there is not enough memory for as many instances", kind="memory")
    except Exception as error:  # noqa: BLE001 the last line: whatever a runtime raises must reach the host
        say(error=f"{type(error).__name__}: {error}", kind="run")


def _measure(model: LoadedModel, samples: list[list[Array]], min_ns: int) -> dict[str, Any]:
    call, clock = model.call, time.perf_counter_ns
    last, i, count = len(samples) - 1, 0, 0
    cpu_ns = time.process_time_ns()
    started_ns = now = clock()
    deadline = started_ns + min_ns
    while now < deadline or not count:
        call(samples[i])
        now = clock()
        count += 1
        i = i + 1 if i < last else 0
    cpu_ns = time.process_time_ns() - cpu_ns
    facts = {**model.facts, "peak_rss_bytes": system.peak_rss_bytes()}
    return {"facts": facts, "count": count, "cpu_ns": cpu_ns, "started_ns": started_ns, "ended_ns": now}


def _sum(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if len(known) == len(values) else None
