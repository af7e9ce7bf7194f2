"""build(): project → signed bundle, verified on this host, with every gate decided that needs no device."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.bundle.archive import Bundle
from edgekit.bundle.signing import SigningKey
from edgekit.report.record import Report
from filelock import FileLock, Timeout

from edgekit.cache import storage_errors
from edgekit.errors import OutputBusy
from edgekit.ir.measurement import Measurement
from edgekit.pipeline.compile import Compilation, Compiled
from edgekit.pipeline.inputs import Data
from edgekit.pipeline.line import Line
from edgekit.pipeline.order import Order
from edgekit.pipeline.pack import pack_bundle

ENOUGH = 1000
"""How many evaluation samples a build decides its gates on, unless told otherwise; `run` takes all."""


@dataclass(frozen=True)
class Build:
    """What a build left in its output folder."""

    bundle: Bundle
    compiled: Compiled
    report: Report


@dataclass(frozen=True)
class Evidence:
    """The two measurements a verdict is made of."""

    reference: Measurement
    candidate: Measurement


def build(order: Order, line: Line, out: Path, key: SigningKey, samples: int | None = None) -> Build:
    """Compile, pack, and verify on this host. Raises what its stages raise; an unfinished build leaves `out` as it was."""
    with exclusive(out):
        compilation = Compilation(order, line)
        data = Data(order.project, line, "evaluation", samples or ENOUGH)
        with compilation.lowered() as compiled_:
            reference = _reference(compilation, data)
            compiled = compiled_()
        bundle = pack_bundle(order, line, compilation, compiled, key, out)
        candidate = _candidate(bundle, compiled, data, line)
        evidence = Evidence(reference, candidate)
    return Build(bundle, compiled, None)


@contextlib.contextmanager
def exclusive(out: Path) -> Iterator[None]:
    """`out`, made if need be, for this build alone. Raises OutputBusy if another has it, StorageError if it cannot be."""
    with storage_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".edgekit.lock", timeout=0)
        try:
            with lock:
                yield
        except Timeout as error:
            raise OutputBusy(
                f"another edgekit is writing to '{out}'", hint="wait for it, or give --out another folder"
            ) from error
