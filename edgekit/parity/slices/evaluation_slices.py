"""Slices of an evaluation set: by its metadata, by what is measured of its samples, by the reference, by the label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgekit.ir.measurement import Measurement
from edgekit.parity.paired_answers import PairedAnswers
from edgekit.parity.slices.clusters import by_cluster
from edgekit.parity.slices.properties import properties
from edgekit.parity.slices.record import SliceParity
from edgekit.parity.slices.slice import Slice, by_class, by_column, by_tails
from edgekit.parity.slices.slice_parity import slice_parity
from edgekit.samples import Samples
from edgekit.specs.inputs import Input
from edgekit.tasks.task import Task
from edgekit.tasks.task_over_time import last_steps, of_sequences


@dataclass(frozen=True)
class EvaluationSlices:
    """Slices of an evaluation set, which do not depend on the candidate."""

    slices: tuple[Slice, ...]
    """Stated slices, then automatic ones."""
    classes: tuple[Slice, ...]
    remarks: tuple[str, ...]
    """Sentences on samples that are in no slice."""

    @classmethod
    def of(
        cls,
        reference: Measurement,
        samples: Samples,
        inputs: Mapping[str, Input],
        task: Task,
        classes: Sequence[str] = (),
    ) -> EvaluationSlices:
        """Slice the samples that `reference` answered; its outputs are clustered."""
        columns = samples.metadata.columns if samples.metadata else {}
        stated, remarks = by_column(columns.items())
        measured = [each for one in properties(samples, inputs) for each in by_tails(one)]
        automatic = [*measured, *_clusters(reference, task, classes)]
        return cls((*stated, *automatic), tuple(_classes(reference, task, classes)), tuple(remarks))

    def parity(self, paired: PairedAnswers) -> SliceParity:
        """Compare the answers of both endpoints slice by slice."""
        return slice_parity(paired, self.slices, self.classes, self.remarks)


def _clusters(reference: Measurement, task: Task, classes: Sequence[str]) -> list[Slice]:
    outputs = next(iter(reference.outputs.values()))
    of_samples = of_sequences(task, reference.length, reference.labels)
    answers = of_samples.answers(reference.outputs)
    if reference.length is not None:
        outputs = last_steps(outputs, reference.length)
    return list(by_cluster(outputs, lambda i: of_samples.show(answers, i, classes)))


def _classes(reference: Measurement, task: Task, classes: Sequence[str]) -> list[Slice]:
    """Slices by the label; none where labels are no classes."""
    labels = reference.labels
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        return []
    counted = of_sequences(task, reference.length, labels).class_count(reference.outputs)
    return [] if counted is None else list(by_class(labels, classes))
