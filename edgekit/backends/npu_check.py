"""Check of a lowered file on the NPU of its target, emulated on this machine, and its context binary.

The emulator tells answers, not times.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.backends.artifact_run import runner_manifest
from edgekit.backends.free_axes import model_tensor
from edgekit.backends.program_outputs import program_outputs
from edgekit.errors import AcceleratorDisagreement, EdgekitError
from edgekit.errors.extras import extra_hint
from edgekit.ir.artifact import Artifact
from edgekit.ir.measurement import Array
from edgekit.ir.program import REMARK, WARNING, PassRecord, Program
from edgekit.ir.sqnr import sqnr_db
from edgekit.runner.errors import RunnerError
from edgekit.runner.layout import CONTEXTS, NPU
from edgekit.runner.machine.hang_watch import overseen
from edgekit.runner.model.accelerator import QNN_HTP, Accelerator, AcceleratorFacts
from edgekit.runner.model.hexagon_socs import SOCS, soc_of_model
from edgekit.runner.model.manifest import RunnerManifest
from edgekit.runner.model.tensors import Column, dequantize, read_columns, row
from edgekit.runner.runtimes.model import LoadedModel
from edgekit.runner.runtimes.qnn_context import compile_context
from edgekit.runner.runtimes.qnn_htp import FREE
from edgekit.specs.target import Target

LOSS_DB = 3.0
"""Most dB that the NPU's answers may be farther from the float network's than the CPU's are, by the same file."""
ALIKE_DB = 15.0
"""Least SQNR of the NPU's answers against the CPU's where there is no float network to compare both with."""


def check_on_npu(
    artifact: Artifact, target: Target, checks: Path, out: Path, floating: Callable[[], Program] | None
) -> PassRecord:
    """Compile the file for the NPU, run it there on the samples of `checks`, and compare it with the CPU.

    Writes the context binary into `out/npu`, and `out/npu.json`. floating: loads the float program that the file was
    quantized from. Returns a record with what the NPU took and the SQNR of its answers against the CPU's, in dB; one
    with a warning where nothing emulates the NPU here. Raises AcceleratorDisagreement if it answers otherwise or does
    not run the file at all.
    """
    started = time.perf_counter()
    soc = soc_of_model(target.npu.soc_model) if target.npu else None
    if soc is None:
        return _unchecked(target.id, "no chip that is known here is stated under [npu]", started)
    if floating is None:
        return _unchecked(soc, "its NPU takes static integers, which this profile does not make", started)
    if artifact.signature.state or artifact.signature.lengths or artifact.signature.prefill:
        return _unchecked(soc, "state, free lengths and several entry points run on the CPU", started)
    try:
        context = overseen(lambda: compile_context(artifact.entry, out / NPU, soc, artifact.options))
    except RunnerError as error:
        if error.kind in ("package", "library", "adapter"):
            package = (
                f"{extra_hint('npu')}, under a licence of Qualcomm's, has the next build check it on an emulated NPU"
            )
            return _unchecked(soc, f"{error}: {package}", started)
        raise _refusal(artifact, soc, str(error)) from error
    (out / CONTEXTS).write_text(json.dumps({"schema": 1, "contexts": [context]}, sort_keys=True, indent=1), "utf-8")
    columns: list[Column] = read_columns(checks, [model_tensor(spec) for spec in artifact.signature.inputs])
    request = Accelerator(QNN_HTP, (("soc", soc),))
    manifest = runner_manifest(artifact)._replace(accelerator=request)
    try:
        loaded, answers = overseen(lambda: _run(manifest, columns))
    except RunnerError as error:
        if error.kind == "hung":
            # The emulator is too slow for it, which says nothing of the NPU: what is not checked is not shipped.
            (out / CONTEXTS).unlink()
            return _unchecked(soc, str(error), started)
        raise _refusal(artifact, soc, str(error)) from error
    expected = [np.load(out / "golden" / "outputs" / f"{spec.name}.npy") for spec in artifact.signature.outputs]
    truth = program_outputs(floating(), columns)
    quality, of_float = _qualities(artifact, soc, answers, expected, truth)
    facts = AcceleratorFacts(**loaded["accelerator"])
    return _record(facts, int(context["graphs"]), quality, of_float, time.perf_counter() - started)


def _run(manifest: RunnerManifest, columns: list[Column]) -> tuple[dict[str, Any], list[Array]]:
    """Load and run the file on every sample: facts of the load, and the outputs as stored."""
    model = LoadedModel.load(manifest, 1, row(columns, 0))
    return model.loaded, model.outputs(columns)


def _qualities(
    artifact: Artifact, soc: str, answers: list[Array], expected: list[Array], truth: list[Array] | None
) -> tuple[float, tuple[float, float] | None]:
    """Least SQNR of the NPU's answers against the CPU's in dB, and of both against the float network's.

    The latter of the output where the NPU loses most; None without a float network. Raises AcceleratorDisagreement.
    """
    qualities: list[float] = []
    of_float: list[tuple[float, float]] = []
    for index, spec in enumerate(artifact.signature.outputs):
        ours, theirs = (
            dequantize(each, spec.affine.scale, spec.affine.zero_point) if spec.affine else each
            for each in (answers[index], expected[index])
        )
        alike = sqnr_db(theirs, ours)
        qualities.append(alike)
        if truth is not None and truth[index].dtype.kind == "f":
            by_npu, by_cpu = sqnr_db(truth[index], ours), sqnr_db(truth[index], theirs)
            of_float.append((by_npu, by_cpu))
            if not (by_npu >= by_cpu - LOSS_DB or alike >= by_cpu):
                raise _refusal(
                    artifact,
                    soc,
                    f"its output '{spec.name}' is {by_npu:.1f} dB from the float network's there, and {by_cpu:.1f} dB "
                    f"on the CPU: more than {LOSS_DB:.0f} dB are lost",
                )
        elif not alike >= ALIKE_DB:
            raise _refusal(
                artifact, soc, f"its output '{spec.name}' is {alike:.1f} dB from the CPU's, less than {ALIKE_DB:.0f}"
            )
    return float(min(qualities)), min(of_float, key=lambda pair: pair[0] - pair[1], default=None)


def _record(
    facts: AcceleratorFacts, graphs: int, quality_db: float, of_float: tuple[float, float] | None, seconds: float
) -> PassRecord:
    by_float = f", {of_float[0]:.1f} dB from the float network's (the CPU {of_float[1]:.1f})" if of_float else ""
    remark = (
        f"{facts.device}: {quality_db:.1f} dB from the CPU's answers{by_float}, {facts.taken} of {facts.operators} "
        f"operators{_parts(facts, graphs)}; how quick it is there, no emulator tells."
    )
    left = ", ".join(f"{count} {kind}" for kind, count in facts.left) or "nothing"
    options = (
        ("device", str(facts.device)),
        ("taken", f"{facts.taken} of {facts.operators}"),
        ("left to the CPU", left),
        ("precision", str(facts.precision)),
        ("note", facts.note),
        (REMARK, remark),
    )
    return PassRecord(QNN_HTP, options, seconds, round(quality_db, 2))


def _parts(facts: AcceleratorFacts, graphs: int) -> str:
    """Words on the hand-overs between NPU and CPU where there are several, with the operators that cause them."""
    left = ", ".join(f"{count} {kind}" for kind, count in facts.left if kind not in FREE)
    return f" in {graphs} graphs, with {left} on the CPU between them" if graphs > 1 and left else ""


def _unchecked(soc: str, reason: str, started: float) -> PassRecord:
    warning = f"answers on the NPU of {soc} were not checked, and the bundle runs on the CPU there: {reason}"
    return PassRecord(QNN_HTP, ((WARNING, warning),), time.perf_counter() - started, 0.0)


def _refusal(artifact: Artifact, soc: str, reason: str) -> EdgekitError:
    chip = f"Hexagon v{SOCS[soc].arch} of {soc}"
    return AcceleratorDisagreement(
        f"'{artifact.entry.name}' does not do on the {chip}, emulated here: {reason}",
        hint="keep the operators that lose most in float: [quantize] skip; or --backend tflite, which runs on the CPU",
    )
