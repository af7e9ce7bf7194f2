"""build(): project → signed bundle, verified on this host, with every gate decided that needs no device."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgekit.atomic import stored
from edgekit.bundle.archive import Bundle
from edgekit.bundle.signing import SigningKey
from edgekit.cache import digest_of, storage_errors, tool_versions
from edgekit.errors import EdgekitError, ForwardError, OutputBusy
from edgekit.ir.measurement import Measurement
from edgekit.measure import store
from edgekit.measure.device.installed import outputs_in_parts, unpacked
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.compile import LOWER, Compilation, Compiled
from edgekit.pipeline.stages.float_parity import check_float_parity
from edgekit.pipeline.stages.inputs import CachedData
from edgekit.pipeline.stages.labels import check_labels
from edgekit.pipeline.stages.mixed_precision import resolve_mixed_precision
from edgekit.pipeline.stages.pack import pack_bundle
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.pipeline.verdict import Evidence, decide
from edgekit.report.report import Report
from edgekit.specs.factory import RAISED, in_a_line, place

ENOUGH = 2000
"""How many evaluation samples a build decides its gates on, unless told otherwise; `run` takes them all."""
REFERENCE, VERIFY = "reference", "verify"
STAGING = ".edgekit.partial"


@dataclass(frozen=True)
class Build:
    """What was compiled and packed, and the data its verdict is made of."""

    compilation: Compilation
    compiled: Compiled
    bundle: Bundle
    data: CachedData


def build(order: BuildRequest, line: StageRunner, out: Path, key: SigningKey, samples: int | None = None) -> Report:
    """Compile, pack into the folder `out`, verify on this host, and report. Raises what its stages raise."""
    with exclusive(out) as staging:
        data = evaluation(order, line, samples or ENOUGH)
        compilation = compilation_of(order, line, data)
        with compilation.lowered() as finished:
            reference = eager_answers(compilation, data)
            compiled = finished()
        made = Build(compilation, compiled, pack_bundle(compilation, compiled, key, staging), data)
        answered = on_host(made)
        check_float_parity(order.profile, reference, answered)
        evidence = Evidence(reference, answered, data.samples.sampling)
        return decide(compilation, compiled, made.bundle, evidence, None, staging)


def compilation_of(order: BuildRequest, line: StageRunner, data: CachedData) -> Compilation:
    """The order on its way, once the labels of `data` can be scored and its recipe is settled. Raises DataError."""
    compilation = Compilation(order, line)
    check_labels(compilation, data)
    settlement = resolve_mixed_precision(order, line)
    return compilation if settlement is order else Compilation(settlement, line)


def evaluation(order: BuildRequest, line: StageRunner, samples: int | None) -> CachedData:
    """The samples that a verdict is made of."""
    return CachedData(order.project, line, "evaluation", samples)


@contextlib.contextmanager
def exclusive(out: Path) -> Iterator[Path]:
    """The folder `out`, made if need be, for this build alone. Yields a folder in it: what that holds at the end goes
    into `out`, bundle and report together, and after an error nothing does.

    Raises OutputBusy if another build has it, StorageError if it cannot be made or the disk is full.
    """
    staging = out / STAGING
    with storage_errors(out), _locked(out):
        shutil.rmtree(staging, ignore_errors=True)  # what a build left that was killed
        staging.mkdir()
        try:
            yield staging
            for path in sorted(staging.iterdir()):
                path.replace(out / path.name)
        finally:
            shutil.rmtree(staging, ignore_errors=True)


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Locks the folder itself: nothing to leave behind, and a dead process holds nothing. An empty one is removed."""
    with contextlib.ExitStack() as stack:
        with stored(out):
            out.mkdir(parents=True, exist_ok=True)
            folder = os.open(out, os.O_RDONLY | os.O_DIRECTORY)
        stack.callback(os.close, folder)
        _lock(folder, out)
        stack.callback(_remove_if_empty, out)
        yield


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _lock(folder: int, out: Path) -> None:
    busy = OutputBusy(f"another edgekit is writing to '{out}'", hint="wait for it, or give --out another folder")
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise busy from error
    # Whoever had it may have removed it, empty, as it left.
    if not out.exists() or not os.path.samestat(os.fstat(folder), out.stat()):
        raise busy


def eager_answers(compilation: Compilation, data: CachedData) -> Measurement:
    """What the float network answers, in this process, while the converter works in its own."""

    def make(out: Path) -> None:
        from edgekit.frontend.eager import Eager

        project, network = compilation.order.project, compilation.network
        try:
            measured = Eager(lambda: network.twin).measure(data.samples, None)
        except EdgekitError:
            raise
        except RAISED as error:
            raise ForwardError(
                f"the model's forward failed on evaluation samples{place(error, project.root)}: {in_a_line(error)}",
                hint="EDGEKIT_DEBUG=1 shows the whole of it",
            ) from error
        store.save(measured, out / "measurement")

    entry = compilation.line.entry(REFERENCE, reference_key(compilation, data), make)
    return store.load(entry / "measurement")


def reference_key(compilation: Compilation, data: CachedData) -> str:
    """The key of what the float network answers on `data`."""
    return digest_of(
        {
            "stage": "reference",
            "model": compilation.network.key,
            "data": data.key,
            "versions": tool_versions(("torch",)),
        }
    )


def on_host(made: Build) -> Measurement:
    """What the artifact answers on this host, run by the runner that devices run."""

    def make(out: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch) / "bundle"
            made.bundle.extract(folder)
            with unpacked(folder) as endpoint:
                measured = outputs_in_parts(endpoint, made.data.samples, os.cpu_count() or 1)
                store.save(measured, out / "measurement")

    entry = made.compilation.line.entry(VERIFY, verify_key(made.compilation, made.data), make)
    return store.load(entry / "measurement")


def verify_key(compilation: Compilation, data: CachedData) -> str:
    """The key of what the artifact answers on `data`, on this host."""
    versions = tool_versions(compilation.order.backend.packages)
    artifact = compilation.keys[LOWER]
    return digest_of({"stage": "verify", "artifact": artifact, "data": data.key, "versions": versions})
