"""Robustness of a build or a run: which perturbed samples are asked, of how many, and the scores of both endpoints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgekit.ir.measurement import Measurement
from edgekit.parity.compare import check_values
from edgekit.parity.robustness.condition_scores import CleanAnswers
from edgekit.parity.robustness.readings import FAMILY_OF_GATE
from edgekit.parity.robustness.robustness import Robustness
from edgekit.perturb.input_domain import input_domains
from edgekit.perturb.perturbation import FAMILIES, Family
from edgekit.perturb.registry import PerturbationPlan, perturbation_plan
from edgekit.pipeline.both_endpoints import BothEndpoints
from edgekit.pipeline.request import BuildRequest
from edgekit.samples import Samples
from edgekit.specs.profile import Profile
from edgekit.tasks.registry import task_of

STAGE = "robustness"
ENOUGH = 1000
"""Default number of samples that are perturbed: they tell a loss to within about two points."""
EMULATED_ENOUGH = 20
"""Default number on an emulated device, whose programs are a hundred times slower."""
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
    chosen = spread(len(samples), sample_count(request.profile, len(samples), len(plan.fitting), candidate))
    task, taken_steps = task_of(request.project), None if samples.length is None else samples.length[chosen]
    clean = CleanAnswers.of(
        {name: array[chosen] for name, array in reference.outputs.items()},
        {name: array[chosen] for name, array in candidate.outputs.items()},
        samples.labels[chosen],
        task,
        taken_steps,
    )
    conditions = {each.name: each for each in plan.fitting}
    scores = {}
    for pair in both.ask(plan.sets(samples.take(chosen)), STAGE):
        for side, measured in (("reference", pair.reference), ("candidate", pair.candidate)):
            for name, output in measured.outputs.items():
                check_values(output, len(chosen), f"output '{name}' of the {side} with '{pair.name}'")
        scores[pair.name] = clean.under(conditions[pair.name], pair.reference.outputs, pair.candidate.outputs)
    return Robustness(
        metric=clean.task.metric,
        clean=clean.scores,
        conditions=tuple(scores[name] for name in conditions),
        samples=len(chosen),
        among=len(samples),
        digest=plan.digest,
        unfit=plan.unfit,
    )


def sample_count(profile: Profile, available: int, conditions: int, candidate: Measurement) -> int:
    """Number of samples that are perturbed: as the profile says, else as many as are enough and affordable."""
    if profile.robustness.samples:
        return min(available, profile.robustness.samples)
    if candidate.environment.kind == "emulated":
        return min(available, EMULATED_ENOUGH)
    if candidate.samples_per_s is None or candidate.environment.host_stand_in:
        return min(available, ENOUGH)
    affordable = int(candidate.samples_per_s * profile.probe.accuracy_limit_s / conditions)
    return min(available, ENOUGH, max(FEWEST, affordable))


def spread(available: int, count: int) -> Sequence[int]:
    """Indices of `count` samples, spread evenly over the order of the set, which has each class its share."""
    return [int(i) for i in np.arange(count) * available // count]
