"""Findings beside the comparison of the evaluation samples: of other samples, of the data sets, slice by slice."""

from __future__ import annotations

from dataclasses import dataclass, replace

from edgekit.ir.measurement import Measurement
from edgekit.parity.adversarial import AdversarialSensitivity
from edgekit.parity.comparison import Comparison
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.outside.paired_outside import PairedOutside
from edgekit.parity.poisoning.record import PoisoningScreen
from edgekit.parity.robustness.robustness import Robustness
from edgekit.parity.slices.evaluation_slices import EvaluationSlices
from edgekit.pipeline.adversarial import adversarial_sensitivity
from edgekit.pipeline.evidence import Evidence
from edgekit.pipeline.outside_samples import paired_on_outside
from edgekit.pipeline.robustness import robustness
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.data_governance import governance_of
from edgekit.pipeline.stages.poisoning_screen import poisoning_screen
from edgekit.tasks.registry import task_of


@dataclass(frozen=True)
class Findings:
    """Findings on other samples, of both endpoints, and on the network and its calibration data."""

    adversarial: AdversarialSensitivity | None
    poisoning: PoisoningScreen | None
    outside: PairedOutside | MissingValue | None
    robustness: Robustness | None


def findings_of(compilation: Compilation, evidence: Evidence, candidate: Measurement) -> Findings:
    """Ask for all that project and profile want beside the evaluation samples. Raises what the endpoints do."""
    samples, both = evidence.samples, evidence.both
    return Findings(
        adversarial=adversarial_sensitivity(compilation, both, samples),
        poisoning=poisoning_screen(compilation),
        outside=paired_on_outside(compilation.request, samples, evidence.reference, candidate, both)
        if samples and both
        else None,
        robustness=robustness(compilation.request, samples, evidence.reference, candidate, both)
        if samples and both
        else None,
    )


def with_findings(
    comparison: Comparison, findings: Findings, compilation: Compilation, evidence: Evidence
) -> Comparison:
    """Comparison with the findings, and, where the samples are at hand, with data sets, slices and names of samples."""
    comparison = replace(
        comparison,
        adversarial=findings.adversarial,
        poisoning=findings.poisoning,
        outside=findings.outside,
        robustness=findings.robustness,
    )
    samples, project = evidence.samples, compilation.request.project
    if samples is None:
        return comparison
    sliced = EvaluationSlices.of(
        evidence.reference, samples, project.inputs, task_of(project), compilation.golden.classes
    )
    ids = samples.metadata.ids if samples.metadata else None
    examples = comparison.flip_examples
    if ids:
        examples = tuple(each.model_copy(update={"id": ids[each.sample]}) for each in examples)
    return replace(
        comparison,
        slices=sliced.parity(comparison),
        flip_examples=examples,
        governance=governance_of(compilation, samples, evidence.reference),
    )
