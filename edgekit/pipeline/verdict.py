"""Two measurements → a verdict, and the files that hold it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from edgekit.atomic import write
from edgekit.bundle.archive import Bundle
from edgekit.ir.measurement import Measurement
from edgekit.ir.plural import counted, verb
from edgekit.ir.program import REMARK, WARNING
from edgekit.measure import store
from edgekit.parity.compare import compare
from edgekit.parity.comparison import Comparison
from edgekit.parity.flips import changed_samples
from edgekit.parity.gate_inputs import Device, GateInputs
from edgekit.parity.gates import judge
from edgekit.parity.numeric import numeric_parity
from edgekit.pipeline.accelerator_trial import accelerator_trial
from edgekit.pipeline.evidence import Evidence
from edgekit.pipeline.findings import findings_of, with_findings
from edgekit.pipeline.stages.accelerator_fits import accelerator_fits, unused_accelerators
from edgekit.pipeline.stages.calibration_limit import limit_remark
from edgekit.pipeline.stages.compile import Compilation, Compiled
from edgekit.pipeline.stages.evaluated_orders import evaluated_orders
from edgekit.pipeline.stages.float_remark import float_remarks
from edgekit.pipeline.stages.loss_remark import loss_remarks
from edgekit.pipeline.stages.temperature import temperature_remarks
from edgekit.pipeline.stages.vendor_comparison import vendor_remarks
from edgekit.report.assemble import BuildFacts, ProbeFacts, describe, report
from edgekit.report.forms import flips_csv, html, junit, markdown, sarif, text
from edgekit.report.record import BundleRecord
from edgekit.report.report import Report, to_json
from edgekit.samples import Samples
from edgekit.tasks.registry import task_of

COMPARE = "compare"
FLIPS = "flips.csv"
"""Table of the samples that were answered otherwise, beside the report."""
TRAINING = ("prune", "recover", "train-quantized")
"""Passes whose time the cost of the build is computed from, even if they ran in an earlier build."""
FORMS = {
    ".json": to_json,
    ".md": markdown.render,
    ".html": html.render,
    ".txt": text.render,
    ".xml": junit.render,
    ".sarif": sarif.render,
}
"""Forms of reports by the ending of their files."""


def decide(
    compilation: Compilation, compiled: Compiled, bundle: Bundle, evidence: Evidence, device: str | None, out: Path
) -> Report:
    """Compare, judge, report; write measurements and report into the folder `out`. `device` is None for a build."""
    request, artifact, candidate = compilation.request, compiled.artifact, evidence.candidate
    if request.target.family == "host":  # the target itself: nothing stands in for anything
        candidate = replace(candidate, environment=replace(candidate.environment, host_stand_in=False))
    findings = findings_of(compilation, evidence, candidate)
    made_by = {name: each.words for name, each in bundle.manifest.processing.items()}
    artifact_record = describe(artifact, compiled.float_size.size_bytes, compiled.float_size.weight_bytes, made_by)
    with compilation.line.stage(COMPARE):
        task = task_of(request.project)
        orders = evaluated_orders(compilation, evidence.reference, candidate, evidence.samples)
        comparison = replace(
            compare(evidence.reference, candidate, task, compilation.golden.classes, orders),
            early_stop=evidence.early_stop,
        )
        comparison = with_findings(comparison, findings, compilation, evidence)
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
            available=evidence.sampling.total if evidence.sampling else None,
            group=request.project.data.evaluation.group or "",
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
                *_cut_flips(comparison),
                *_remarks(compilation, compiled),
                *temperature_remarks(request, compilation.line, comparison),
                *(fit.sentence for fit in accelerator_fits(request, artifact)),
                *unused_accelerators(request).values(),
                *float_remarks(compilation, judged),
                *loss_remarks(compilation, compiled, judged),
                *(vendor_remarks(compilation, compiled, judged) if device is None else ()),
                *evidence.remarks,
            ),
        ),
    )
    ids = _ids(evidence.samples)
    write(out / FLIPS, flips_csv.render(comparison.flips, ids).encode())
    store.save(evidence.reference, out / "reference")
    store.save(candidate, out / "candidate")
    write(out / "report.json", verdict.to_json().encode())
    # Beside the report, for `diagnose`: the recipe with what --set changed.
    write(out / "profile.json", request.profile.model_dump_json(by_alias=True, exclude_unset=True, indent=2).encode())
    write(out / "report.md", markdown.render([verdict]).encode())
    return verdict


def _ids(samples: Samples | None) -> tuple[str, ...] | None:
    return samples.metadata.ids if samples and samples.metadata else None


def _cut_flips(comparison: Comparison) -> list[str]:
    """Sentence on flipped samples that the table of them leaves out."""
    changed = len(changed_samples(comparison))
    if changed <= len(comparison.flips):
        return []
    are = verb(changed, "is", "are")
    return [f"{counted(changed, 'sample')} {are} answered otherwise: {FLIPS} has the first {len(comparison.flips):,}."]


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
