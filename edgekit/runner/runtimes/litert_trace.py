"""Traces of LiteRT's compiled models, by its profiler: its interpreter cannot be traced."""

from __future__ import annotations

import ctypes
from ctypes import byref, c_char_p, c_int, c_int64, c_uint64
from pathlib import Path
from typing import TYPE_CHECKING

from .litert_compiled_model import CPU, CompiledModel
from .trace import Inference, OperatorRun, numbered

if TYPE_CHECKING:
    from ..model.manifest import RunnerManifest

NOTE = (
    "LiteRT traces its compiled models, not the interpreter that latency is timed by; XNNPACK counts whole "
    "microseconds: each of its operators may have taken up to one more"
)
# litert/c/litert_profiler_event.h
DEFAULT, OPERATOR, INNER, DELEGATED = 1, 1 << 1, 1 << 2, 1 << 3
WHOLE = b"Invoke"


class _Event(ctypes.Structure):
    """`ProfiledEventData`: 104 bytes, each of the two records of memory 24 of them."""

    _fields_ = (
        ("tag", c_char_p),
        ("type", c_int),
        ("start_us", c_uint64),
        ("elapsed_us", c_uint64),
        ("memory", c_int64 * 6),
        ("metadata", c_uint64 * 2),
        ("source", c_int),
    )


class LiteRtTrace(CompiledModel):
    """A model compiled for the CPU by XNNPACK, with its profiler on."""

    note = NOTE

    def __init__(
        self, library: Path, manifest: RunnerManifest, threads: int, names: tuple[list[str], list[str]]
    ) -> None:
        """Compile the model and start its profiler. Raises RuntimeError, as `CompiledModel` does."""
        options = {"runtime_options_string": "enable_profiling = true\n", "xnnpack": f"num_threads = {threads}\n"}
        super().__init__(library, manifest, CPU, options, names)
        self._profiler = self._create("CompiledModelGetProfiler", self._model)
        self._call("StartProfiler", self._profiler)

    def inferences(self) -> list[Inference]:
        self._call("StopProfiler", self._profiler)
        count = c_int()
        self._call("GetNumProfilerEvents", self._profiler, byref(count))
        events = (_Event * count.value)()
        self._call("GetProfilerEvents", self._profiler, count, events)
        inferences: list[Inference] = []
        for event in events:
            if event.type == DEFAULT and event.tag == WHOLE:
                inferences.append(Inference(event.elapsed_us * 1000, []))
            if inferences and event.type in (OPERATOR, INNER, DELEGATED):
                delegate = None if event.type == OPERATOR else "xnnpack"
                inferences[-1].operators.append(OperatorRun(event.tag.decode(), "", delegate, event.elapsed_us * 1000))
        return [Inference(whole_ns, numbered(operators)) for whole_ns, operators in inferences]
