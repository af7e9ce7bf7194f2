"""Robustness of a build or a run: which perturbed samples are asked, of how many, and the scores of both endpoints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.ir.measurement import Measurement
from edgekit.ir.plural import counted
from edgekit.parity.compare import check_values
from edgekit.parity.robustness.condition_scores import CleanAnswers
from edgekit.parity.robustness.readings import FAMILY_OF_GATE
from edgekit.parity.robustness.robustness import Robustness
from edgekit.parity.slices.drop_interval import fewest_samples
from edgekit.perturb.input_domain import input_domains
from edgekit.perturb.perturbation import FAMILIES, Family
from edgekit.perturb.picture_files import picture_files
from edgekit.perturb.registry import PerturbationPlan, perturbation_plan
from edgekit.pipeline.both_endpoints import BothEndpoints
from edgekit.pipeline.request import BuildRequest
from edgekit.samples import Samples
from edgekit.specs.profile import Gates, Probe, Profile
from edgekit.specs.project import Project
from edgekit.specs.robustness import RobustnessSpec
from edgekit.tasks.registry import task_of

STAGE = "robustness"
ENOUGH = 1000
"""Default number of samples that are perturbed: they tell a loss to within about two points."""
EMULATED_ENOUGH = 20
"""Default number on an emulated device where no gate needs more: its programs are a hundred times slower."""
SPARE = 2
"""Times the samples that settle a gate if no answer flips: some do."""
FEWEST = 20
"""Fewest samples on a slow device, however long they take."""


def families_of(profile: Profile) -> tuple[Family, ...]:
    """Families of perturbations that a profile has measured, by itself or for a gate; in the order of reports."""
    gated = {FAMILY_OF_GATE[name] for name, _ in profile.gates.named() if name in FAMILY_OF_GATE}
    return tuple(each for each in FAMILIES if profile.robustness.measure in (each, "all") or each in gated)


def plan_of(request: BuildRequest, samples: Samples) -> PerturbationPlan | None:
    """Perturbations that are to be measured; None for none. Raises Misfit where none of them fits the inputs."""
    families = families_of(request.profile)
    return perturbation_plan(samples, input_domains(request.project), families) if families else None


def robustness(
    request: BuildRequest, samples: Samples, reference: Measurement, candidate: Measurement, both: BothEndpoints
) -> Robustness | None:
    """Ask both endpoints for perturbed samples, and score them beside their answers to clean ones.

    reference, candidate: their measurements of `samples`. None where nothing is to be measured. Raises Misfit, and what
    the endpoints raise.
    """
    plan = plan_of(request, samples)
    if plan is None:
        return None
    profile, conditions = request.profile, len(plan.fitting)
    needed = needed_count(profile.gates)
    count = sample_count(profile.robustness, profile.probe, len(samples), conditions, candidate, needed)
    return _scored(plan, request.project, samples, count, (reference, candidate), both)


def robustness_alone(
    project: Project, spec: RobustnessSpec, probe: Probe, samples: Samples, measured: Measurement, side: BothEndpoints
) -> Robustness:
    """Ask a model for perturbed samples that has no reference: it stands in for both endpoints.

    measured: its measurement of `samples`. Raises Misfit for inputs that nothing fits, and what the endpoint raises.
    """
    families = [each for each in FAMILIES if spec.measure in (each, "all")]
    domains = [domain for domain in input_domains(project) if domain.name in samples.inputs]
    plan = perturbation_plan(samples, domains, families)
    count = sample_count(spec, probe, len(samples), len(plan.fitting), measured)
    return _scored(plan, project, samples, count, (measured, measured), side)


def _scored(
    plan: PerturbationPlan,
    project: Project,
    samples: Samples,
    count: int,
    clean_pair: tuple[Measurement, Measurement],
    both: BothEndpoints,
) -> Robustness:
    chosen = spread(len(samples), count)
    theirs, ours = ({name: array[chosen] for name, array in one.outputs.items()} for one in clean_pair)
    length = None if samples.length is None else samples.length[chosen]
    clean = CleanAnswers.of(theirs, ours, samples.labels[chosen], task_of(project), length)
    part = samples.take(chosen)
    plan, why_pixels = _on_files(plan.among(part), project, part)
    conditions = {each.name: each for each in plan.fitting}
    scores = {}
    words = foreseen(len(plan.fitting), count, clean_pair[1])
    for pair in both.ask(plan.sets(part), STAGE, words):
        for side, measured in (("reference", pair.reference), ("candidate", pair.candidate)):
            for name, output in measured.outputs.items():
                check_values(output, count, f"output '{name}' of the {side} with '{pair.name}'")
        scores[pair.name] = clean.under(conditions[pair.name], pair.reference.outputs, pair.candidate.outputs)
    return Robustness(
        metric=clean.task.metric,
        clean=clean.scores,
        conditions=tuple(scores[name] for name in conditions),
        samples=count,
        among=len(samples),
        digest=plan.digest,
        unfit=plan.unfit,
        why_pixels=why_pixels,
    )


def _on_files(plan: PerturbationPlan, project: Project, part: Samples) -> tuple[PerturbationPlan, str | None]:
    """Plan with the samples' files perturbed where they are known; else the same one, and the reason, a clause."""
    pictures = [each for each in plan.of("systematic") if each.perturbation.kind == "pictures"]
    if not pictures:
        return plan, None
    files = picture_files(project, part, pictures[0].domain)
    return (plan, files) if isinstance(files, str) else (plan.on_files(files), None)


def sample_count(
    spec: RobustnessSpec, probe: Probe, available: int, conditions: int, candidate: Measurement, needed: int = 0
) -> int:
    """Number of samples that are perturbed: as `spec` says, else as many as are enough and affordable.

    needed: number that gates take (`needed_count`), which an emulated device is asked where its time allows.
    """
    if spec.samples:
        return min(available, spec.samples)
    enough = max(EMULATED_ENOUGH, needed) if candidate.environment.kind == "emulated" else ENOUGH
    if candidate.samples_per_s is None or candidate.environment.host_stand_in:
        return min(available, enough)
    affordable = int(candidate.samples_per_s * probe.accuracy_limit_s / conditions)
    return min(available, enough, max(FEWEST, affordable))


def needed_count(gates: Gates) -> int:
    """Number of samples that settle the gates on robustness that have a confidence; 0 without any."""
    bounds = [bound for name, bound in gates.named() if name in FAMILY_OF_GATE and bound.confidence]
    limits = [(bound.max, bound.confidence) for bound in bounds if bound.max and bound.confidence]
    return max((SPARE * fewest_samples(min(limit, 1.0), confidence) for limit, confidence in limits), default=0)


def foreseen(conditions: int, count: int, candidate: Measurement) -> str:
    """Words on what is about to be asked of the candidate, and on the time that it takes there."""
    words = f"{counted(conditions, 'condition')} of {counted(count, 'sample')}"
    if not candidate.samples_per_s or candidate.environment.host_stand_in:
        return words
    minutes = conditions * count / candidate.samples_per_s / 60
    return f"{words}, {'less than a minute' if minutes < 1 else f'about {minutes:.0f} min'} of the candidate"


def spread(available: int, count: int) -> Sequence[int]:
    """Indices of `count` samples, spread evenly over the order of the set, which has each class its share."""
    return [int(i) for i in np.arange(count) * available // count]
