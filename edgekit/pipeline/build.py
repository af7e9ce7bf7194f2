"""build(): project → signed bundle, verified on this host, with every gate decided that needs no device."""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.archive import Bundle
from edgekit.bundle.signing import SigningKey
from edgekit.cache import digest_of, storage_errors, tool_versions
from edgekit.errors import OutputBusy
from edgekit.ir.measurement import Measurement
from edgekit.measure import store
from edgekit.measure.installed import unpacked
from edgekit.pipeline.compile import Compilation, Compiled
from edgekit.pipeline.inputs import Data
from edgekit.pipeline.line import Line
from edgekit.pipeline.order import Order
from edgekit.pipeline.pack import pack_bundle
from edgekit.pipeline.verdict import Evidence, decide
from edgekit.report.record import Report

ENOUGH = 2000
"""How many evaluation samples a build decides its gates on, unless told otherwise; `run` takes them all."""


@dataclass(frozen=True)
class Build:
    """What was compiled and packed, and the data its verdict is made of."""

    compilation: Compilation
    compiled: Compiled
    bundle: Bundle
    data: Data


def build(order: Order, line: Line, out: Path, key: SigningKey, samples: int | None = None) -> Report:
    """Compile, pack into the folder `out`, verify on this host, and report. Raises what its stages raise."""
    with exclusive(out):
        compilation, data = Compilation(order, line), evaluation(order, line, samples or ENOUGH)
        with compilation.lowered() as finished:
            reference = _reference(compilation, data)
            compiled = finished()
        made = Build(compilation, compiled, pack_bundle(compilation, compiled, key, out), data)
        return decide(made.compilation, made.compiled, made.bundle, Evidence(reference, _candidate(made)), None, out)


def evaluation(order: Order, line: Line, samples: int | None) -> Data:
    """The samples that a verdict is made of."""
    return Data(order.project, line, "evaluation", samples)


@contextlib.contextmanager
def exclusive(out: Path) -> Iterator[None]:
    """The folder `out`, made if need be, for this build alone; a build that fails leaves no empty one.

    Raises OutputBusy if another build has it, StorageError if it cannot be made or the disk is full.
    """
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        # The folder itself is locked: nothing to leave behind, and a dead process holds nothing.
        folder = os.open(out, os.O_RDONLY)
        try:
            _lock(folder, out)
            yield
        finally:
            os.close(folder)
            with contextlib.suppress(OSError):
                out.rmdir()  # goes only if it is empty


def _lock(folder: int, out: Path) -> None:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise OutputBusy(
            f"another edgekit is writing to '{out}'", hint="wait for it, or give --out another folder"
        ) from error


def _reference(compilation: Compilation, data: Data) -> Measurement:
    """What the float network answers, in this process, while the converter works in its own."""
    key = digest_of(
        {
            "stage": "reference",
            "model": compilation.network.key,
            "data": data.key,
            "versions": tool_versions(("torch",)),
        }
    )

    def make(out: Path) -> None:
        from edgekit.frontend.eager import Eager
        from edgekit.frontend.load import load

        project = compilation.order.project
        store.save(Eager(lambda: load(project)).measure(data.samples, None), out / "measurement")

    return store.load(compilation.line.entry("reference", key, make) / "measurement")


def _candidate(made: Build) -> Measurement:
    """What the artifact answers on this host, run by the runner that devices run."""
    line, compilation = made.compilation.line, made.compilation
    versions = tool_versions(compilation.order.backend.packages)
    key = digest_of({"stage": "verify", "artifact": made.compiled.key, "data": made.data.key, "versions": versions})

    def make(out: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "bundle"
            made.bundle.extract(folder)
            with unpacked(folder) as endpoint:
                store.save(endpoint.measure(made.data.samples, None), out / "measurement")

    return store.load(line.entry("verify", key, make) / "measurement")
