"""Two measurements → a verdict, and the files that hold it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.atomic import write
from edgekit.bundle.archive import Bundle
from edgekit.devices.protocol import AcceleratorChosen
from edgekit.ir.measurement import Measurement
from edgekit.ir.program import REMARK, WARNING
from edgekit.measure import store
from edgekit.parity.compare import compare
from edgekit.parity.gate_readings import Device, FloatRecord, GateInputs
from edgekit.parity.gates import judge
from edgekit.parity.generation_record import GenerationRecord
from edgekit.parity.numeric import numeric_parity
from edgekit.parity.robustness.robustness import Robustness
from edgekit.pipeline.accelerator_trial import accelerator_trial
from edgekit.pipeline.both_endpoints import BothEndpoints
from edgekit.pipeline.robustness import robustness
from edgekit.pipeline.stages.accelerator_fits import accelerator_fits, unused_accelerators
from edgekit.pipeline.stages.calibration_limit import limit_remark
from edgekit.pipeline.stages.compile import Compilation, Compiled
from edgekit.pipeline.stages.evaluated_orders import evaluated_orders
from edgekit.pipeline.stages.float_remark import float_remarks
from edgekit.pipeline.stages.loss_remark import loss_remarks
from edgekit.pipeline.stages.vendor_comparison import vendor_remarks
from edgekit.report.assemble import BuildFacts, ProbeFacts, describe, report
from edgekit.report.earlier_run import Earlier
from edgekit.report.forms import html, markdown, text
from edgekit.report.record import BundleRecord
from edgekit.report.report import Report, to_json
from edgekit.samples import Samples, Sampling
from edgekit.tasks.registry import task_of

COMPARE = "compare"
TRAINING = ("prune", "recover", "train-quantized")
"""Passes whose time the cost of the build is computed from, even if they ran in an earlier build."""
FORMS = {".json": to_json, ".md": markdown.render, ".html": html.render, ".txt": text.render}


@dataclass(frozen=True)
class Evidence:
    """Measurements that a verdict is made of: the same samples through both endpoints."""

    reference: Measurement
    candidate: Measurement
    sampling: Sampling | None = None
    host: Measurement | None = None
    """Measurement of the same bundle on this machine, where the candidate is of another."""
    earlier: Earlier | None = None
    """Earlier run to compare instructions with."""
    float_file: FloatRecord | None = None
    """The float file on the same device."""
    remarks: tuple[str, ...] = ()
    """Remarks of the flash, each a sentence."""
    generation: GenerationRecord | None = None
    """Text that a language model wrote on the device, with its times."""
    samples: Samples | None = None
    """Samples that both measured."""
    accelerator: AcceleratorChosen | None = None
    """Accelerator that the device chose; None where there was nothing to choose from."""
    both: BothEndpoints | None = None
    """Both endpoints, where other samples may still be asked of them."""


def decide(
    compilation: Compilation, compiled: Compiled, bundle: Bundle, evidence: Evidence, device: str | None, out: Path
) -> Report:
    """Compare, judge, report; write measurements and report into the folder `out`. `device` is None for a build."""
    request, artifact, candidate = compilation.request, compiled.artifact, evidence.candidate
    if request.target.family == "host":  # the target itself: nothing stands in for anything
        candidate = replace(candidate, environment=replace(candidate.environment, host_stand_in=False))
    artifact_record = describe(artifact, compiled.float_size.size_bytes, compiled.float_size.weight_bytes)
    with compilation.line.stage(COMPARE):
        task = task_of(request.project)
        orders = evaluated_orders(compilation, evidence.reference, candidate, evidence.samples)
        comparison = compare(evidence.reference, candidate, task, compilation.golden.classes, orders)
        comparison = replace(comparison, robustness=_robustness(compilation, evidence))
        parity = numeric_parity(evidence.host, candidate, artifact.signature, task) if evidence.host else None
        inputs = GateInputs(
            comparison=comparison,
            size_ratio=artifact_record.size_ratio,
            weights_ratio=artifact_record.weights_ratio,
            integer_share=artifact_record.integer_share,
            integer_macs_share=artifact_record.integer_macs_share,
            float_only_macs_share=artifact_record.float_only_macs_share or 0.0,
            fallback_share=artifact_record.fallback_share,
            fallback_bytes_share=artifact_record.fallback_bytes_share,
            fragments=artifact.fragments.count if artifact.fragments else None,
            device=_device_kind(device, candidate),
            baseline=evidence.earlier.baseline if evidence.earlier else None,
            float_file=evidence.float_file,
            accelerator=accelerator_trial(evidence.accelerator, parity.same_answers if parity else None),
            quantized=request.profile.quantize is not None,
        )
        judged = judge(request.profile.gates, inputs)
    verdict = report(
        BuildFacts(
            target=request.target,
            profile=request.profile,
            backend=request.runtime.backend,
            artifact=artifact_record,
            stages=tuple(compilation.line.records),
            bundle=BundleRecord(path=bundle.path.name, digest=bundle.digest, signer=bundle.signer),
            versions=dict(bundle.manifest.versions) | {"edgekit": bundle.manifest.edgekit},
            training_s=sum(record.seconds for record in compiled.history if record.name in TRAINING),
        ),
        ProbeFacts(
            device=device,
            comparison=comparison,
            gates=judged,
            sampling=evidence.sampling,
            host_parity=parity,
            earlier=evidence.earlier,
            float_file=evidence.float_file,
            generation=evidence.generation,
            remarks=(
                *request.profile.gates.deprecations,
                *_left_out(compilation, evidence),
                *_remarks(compilation, compiled),
                *(fit.sentence for fit in accelerator_fits(request, artifact)),
                *unused_accelerators(request).values(),
                *float_remarks(compilation, judged),
                *loss_remarks(compilation, compiled, judged),
                *(vendor_remarks(compilation, compiled, judged) if device is None else ()),
                *evidence.remarks,
            ),
        ),
    )
    store.save(evidence.reference, out / "reference")
    store.save(candidate, out / "candidate")
    write(out / "report.json", verdict.to_json().encode())
    # Beside the report, for `diagnose`: the recipe with what --set changed.
    write(out / "profile.json", request.profile.model_dump_json(by_alias=True, exclude_unset=True, indent=2).encode())
    write(out / "report.md", markdown.render([verdict]).encode())
    return verdict


def _robustness(compilation: Compilation, evidence: Evidence) -> Robustness | None:
    """Scores on perturbed samples, where both endpoints can still be asked for them."""
    if evidence.both is None or evidence.samples is None:
        return None
    return robustness(compilation.request, evidence.samples, evidence.reference, evidence.candidate, evidence.both)


def _left_out(compilation: Compilation, evidence: Evidence) -> list[str]:
    """Sentences on what of the data sets was not taken, as a file cannot be read, or memory limits the set."""
    samplings = [*(data.samples.sampling for data in compilation.shaping_data), evidence.sampling]
    sentences = [sentence for sampling in samplings if sampling for sentence in sampling.left_out]
    recipe = compilation.request.profile.quantize
    if recipe and recipe.calibrated:
        sentences += limit_remark(recipe, compilation.request.project.inputs)
    return sentences


def _remarks(compilation: Compilation, compiled: Compiled) -> list[str]:
    """Sentences on how the recipe was chosen, and warnings of the passes about the numbers."""
    noticed = [value for record in compiled.history for name, value in record.options if name in (WARNING, REMARK)]
    return [*compilation.remarks, *compilation.compressed.remarks, *noticed, *compiled.float_size.remarks]


def _device_kind(device: str | None, candidate: Measurement) -> Device:
    if device is None:
        return "none"
    return "emulated" if candidate.environment.kind == "emulated" else "real"
