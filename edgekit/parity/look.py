"""Look at the answers of a device that has not answered all samples: do they decide every gate on answers?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.ir.measurement import Array, Measurement
from edgekit.parity.chance import bounds
from edgekit.parity.compare import check_values
from edgekit.parity.early_stop import EarlyStop
from edgekit.parity.paired_answers import PairedAnswers
from edgekit.parity.sampled_readings import SAMPLED, sampled_reading
from edgekit.parity.statistics.equivalence import decide
from edgekit.specs.profile import Bound, Gates
from edgekit.tasks.label_arrays import is_labelled
from edgekit.tasks.metric import Metric
from edgekit.tasks.task import Task
from edgekit.tasks.task_over_time import of_sequences


@dataclass(frozen=True)
class LabelledMetric:
    """Metric of a task, and what one constant answer reaches by it."""

    metric: Metric
    chance: float | None
    """Metric of the best constant answer; None where it is not known."""


def decided(reference: Measurement, outputs: Mapping[str, Array], task: Task, gates: Gates, stop: EarlyStop) -> bool:
    """True if every gate on answers is passed or failed at this look; False if there is none.

    reference: of the samples answered so far. outputs: the candidate's, [n, …] by name. Raises DataError if they hold
    NaN or infinite values, or cannot be scored.
    """
    labels, labelled = reference.labels, is_labelled(reference.labels)
    task = of_sequences(task, reference.length, labels)
    actual = {name: outputs[name] for name in reference.outputs}
    for name, output in actual.items():
        check_values(output, len(reference), f"output '{name}' of the candidate")
    task.check(actual, labels if labelled else None)
    answers = task.answers(reference.outputs), task.answers(actual)
    paired = PairedAnswers.of(*answers, labels, task, reference.groups)
    known = LabelledMetric(task.metric, task.chance(labels) if labelled else None)
    measurable = SAMPLED if paired.scores else ("agreement",)
    on_answers = [(name, bound) for name, bound in bounds(gates, known) if name in measurable]
    return bool(on_answers) and all(_is_decided(name, bound, paired, stop) for name, bound in on_answers)


def _is_decided(name: str, bound: Bound, paired: PairedAnswers, stop: EarlyStop) -> bool:
    if name != "agreement" and not paired.is_mean:
        return False  # a bootstrap of a metric that is no mean takes minutes at such a confidence
    reading = sampled_reading(name, paired, stop.confidence(bound.confidence))
    return reading is None or decide(reading, bound.min, bound.max) != "undecided"
