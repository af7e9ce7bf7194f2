"""Samples from outside, `[data] outside`: read or generated, asked of both endpoints, and scored."""

from __future__ import annotations

from dataclasses import replace

from edgekit.ir.measurement import Measurement
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.outside.noise import noise_samples
from edgekit.parity.outside.paired_outside import OutsideScores, PairedOutside, paired_outside
from edgekit.pipeline.both_endpoints import BothEndpoints
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.inputs import CachedData
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.sample_sets import SampleSet
from edgekit.samples import Samples
from edgekit.tasks.class_scores import ClassScores
from edgekit.tasks.registry import task_of
from edgekit.tasks.task import Task
from edgekit.tasks.task_over_time import TaskOverTime, of_sequences

MOST, MOST_EMULATED = 1000, 200
"""Most samples from outside that are asked; of an emulated device, which is slow."""
STAGE = "outside"


def check_outside(request: BuildRequest, line: StageRunner, evaluated: int) -> None:
    """Read the data set from outside, if the project names one, before anything slow. Raises DataError or SpecError.

    evaluated: number of evaluation samples.
    """
    stated = request.project.data.outside
    if stated and not stated.noise:
        _data(request, line, min(evaluated, MOST)).samples  # noqa: B018


def paired_on_outside(
    request: BuildRequest,
    samples: Samples,
    reference: Measurement,
    candidate: Measurement,
    both: BothEndpoints,
) -> PairedOutside | MissingValue | None:
    """Ask both endpoints for samples from outside, and pair their scores; None where the project states none.

    samples: those of the evaluation set, which `reference` and `candidate` measured. Raises what the endpoints do.
    """
    project = request.project
    stated = project.data.outside
    if stated is None:
        return None
    task = of_sequences(task_of(project), samples.length, samples.labels)
    inside = _scores(task, reference), _scores(task, candidate)
    if inside[0] is None or inside[1] is None:
        return MissingValue(f"'{task.metric.name}' is no metric of class scores, which say how sure a model is")
    count = min(len(samples), MOST_EMULATED if candidate.environment.kind == "emulated" else MOST)
    made, kinds = _noise(request, samples, count) if stated.noise else (_data(request, both.line, count).samples, ())
    (pair,) = tuple(both.ask([SampleSet(STAGE, lambda: made)], STAGE))
    if isinstance(task, TaskOverTime) and made.length is not None:
        task = replace(task, length=made.length)
    outside = _scores(task, pair.reference), _scores(task, pair.candidate)
    assert outside[0] is not None  # as of the evaluation samples
    assert outside[1] is not None
    return paired_outside(
        OutsideScores(
            reference=(inside[0], outside[0]),
            candidate=(inside[1], outside[1]),
            source=stated.source,
            score=stated.score,
            kinds=kinds,
            sha256=None if stated.noise else made.digest,
        )
    )


def _scores(task: Task, measured: Measurement) -> ClassScores | None:
    return task.class_scores(measured.outputs, None)


def _data(request: BuildRequest, line: StageRunner, count: int) -> CachedData:
    return CachedData(request.project, line, STAGE, count)


def _noise(request: BuildRequest, samples: Samples, count: int) -> tuple[Samples, tuple[str, ...]]:
    """Generated samples; masks and lengths of inputs stay those of evaluation samples."""
    inputs = request.project.inputs
    masks = {spec.mask for spec in inputs.values()}
    return noise_samples(samples, {name: spec for name, spec in inputs.items() if name not in masks}, count)
