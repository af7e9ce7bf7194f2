"""One comparison: edgekit's file and the vendor's, from one float program and the same samples, in one process."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.api.build_session import build_requests
from edgekit.api.builds import load_project
from edgekit.backends.store import load_artifact
from edgekit.backends.vendor_trial import artifact_call, call_arguments, outputs_on, vendor_artifact
from edgekit.cache import Cache
from edgekit.errors import EdgekitError
from edgekit.ir.artifact import Artifact
from edgekit.pipeline.build import compilation_of, evaluation
from edgekit.pipeline.stages.stage_runner import StageRunner
from scripts.coverage_table.campaign import send
from scripts.coverage_table.cell import PRECISIONS, ROOT, peak_mb, source
from scripts.coverage_table.fragments import fragments
from scripts.coverage_table.project import digest, write_project
from scripts.coverage_table.record import Key
from scripts.coverage_table.registry import ARCHITECTURES
from scripts.vendor_table.comparison import VendorComparison
from scripts.vendor_table.instructions import instructions
from scripts.vendor_table.quality import gain, sqnr_of
from scripts.vendor_table.turns import turns

if TYPE_CHECKING:
    from edgekit.backends.vendor_trial import Call
    from edgekit.passes.base import Sample

TIMED_S = 3.0
COUNTING = "counting"
"""File in the folder of the campaign that has cells count instructions, too."""


def compare_in_process(key: Key, work: Path, sender: Connection) -> None:
    """Compare in this process, and send the record."""
    send(compared, key, work, sender)


def compared(name: str, backend: str, precision: str, work: Path) -> VendorComparison:
    """Make both files, and measure them. Raises what is neither edgekit's refusal nor the vendor's failure."""
    architecture, started = ARCHITECTURES[name], time.monotonic()
    folder = write_project(architecture, work / "projects" / f"{name}-{digest(architecture)}")
    profile, overrides = PRECISIONS[precision]
    record = VendorComparison(
        name, backend, precision, "refused", source=source(architecture), weights=architecture.weights
    )
    (request,) = build_requests(load_project(folder), "host", backend, profile, list(overrides))
    line = StageRunner(Cache(work / "cache" / name))
    data = evaluation(request, line, None)
    try:
        compilation = compilation_of(request, line, data)
        # Not `lowered`, which makes the float file, too.
        with compilation.worker() as worker:
            stage = compilation.lower
            artifact = load_artifact(stage.run(line, worker, stage.program()))
    except EdgekitError as error:
        record = replace(record, code=error.code, message=str(error), hint=error.hint or "")
    else:
        from edgekit.frontend.store import load_program

        program, calibration = load_program(compilation.captured), compilation.calibration.folder
        samples = call_arguments(program, calibration)
        record = _of_ours(replace(record, outcome="works", remarks=compilation.remarks), artifact)
        with tempfile.TemporaryDirectory(dir=work) as scratch:
            expected = outputs_on(program.exported.module(), program, data.folder)
            call = artifact_call(artifact, samples[0])
            ours = outputs_on(call, program, data.folder)
            record = replace(record, sqnr_db=sqnr_of(expected, ours))
            try:
                theirs = vendor_artifact(
                    request.backend(), program, samples, Path(scratch), precision.startswith("dynamic")
                )
                assert theirs is not None
                other = artifact_call(theirs, samples[0])
                outputs = outputs_on(other, program, data.folder)
                record = replace(
                    _of_theirs(record, theirs),
                    vendor_sqnr_db=sqnr_of(expected, outputs),
                    sqnr_gain_db=gain(expected, ours, outputs),
                )
            except Exception as error:  # noqa: BLE001  tools of vendors raise anything: the record has it
                record = replace(record, vendor_error=_short(error))
            else:
                record = _timed(record, call, other, samples)
                if (work / COUNTING).exists():
                    record = _counted(record, artifact, theirs, samples, Path(scratch))
    told = (record.message, record.hint, record.vendor_error)
    message, hint, failure = (text.replace(str(work), "FOLDER").replace(str(ROOT), "ROOT") for text in told)
    seconds = round(time.monotonic() - started, 1)
    return replace(record, message=message, hint=hint, vendor_error=failure, seconds=seconds, peak_mb=peak_mb())


def _of_ours(record: VendorComparison, artifact: Artifact) -> VendorComparison:
    calls, commonest = _parts(artifact)
    return replace(
        record,
        size_bytes=artifact.size_bytes,
        integer_macs=round(artifact.integer_macs, 4),
        fragments=calls,
        commonest=commonest,
    )


def _of_theirs(record: VendorComparison, artifact: Artifact) -> VendorComparison:
    calls, commonest = _parts(artifact)
    return replace(record, vendor_size_bytes=artifact.size_bytes, vendor_fragments=calls, vendor_commonest=commonest)


def _parts(artifact: Artifact) -> tuple[str, str]:
    """Calls of a file as the table has them, and its commonest kernels."""
    parts = fragments(artifact.files[0])
    calls = str(parts.kernels) if artifact.format == "onnx" else f"{parts.delegates} + {parts.kernels}"
    return calls, parts.commonest


def _timed(record: VendorComparison, ours: Call, theirs: Call, samples: list[Sample]) -> VendorComparison:
    """Times of both from float tensors to float tensors: integers at the edge of a file are part of its time."""

    def calls(function: Call) -> Callable[[], object]:
        return lambda: function(*samples[0])

    mine, vendor, ratio = turns(calls(ours), calls(theirs), TIMED_S)
    low, median, high = ratio[1], ratio[0], ratio[2]
    return replace(
        record,
        median_us=round(mine, 1),
        vendor_median_us=round(vendor, 1),
        time_ratio=(round(median, 3), round(low, 3), round(high, 3)),
    )


def _counted(
    record: VendorComparison, ours: Artifact, theirs: Artifact, samples: list[Sample], scratch: Path
) -> VendorComparison:
    one, other = instructions([ours, theirs], samples[0], scratch)
    return replace(record, instructions=one, vendor_instructions=other)


def _short(error: Exception) -> str:
    """Words of an error, in a line."""
    text = " ".join(str(error).split())
    return (text if isinstance(error, EdgekitError) else f"{type(error).__name__}: {text}")[:400]
