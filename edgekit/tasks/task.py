"""Protocol of tasks, and their common base: a task is a record of its options, from `[task]` in `edgekit.toml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Protocol, cast

import numpy as np

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.specs.inputs import Input
from edgekit.specs.spec import Spec
from edgekit.tasks.class_scores import ClassScores, Form
from edgekit.tasks.label_arrays import is_labelled, stacked, unlabelled
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.secondary import SecondaryFigure

Outputs = Mapping[str, Array]
"""Outputs of a model by name, [N, …], in the order of its results."""
Answers = Any
"""Answers of N samples, in the form that the task reads its outputs as."""


class Task(Protocol):
    """Meaning of a model's outputs and labels, so that any two endpoints can be compared sample by sample.

    To write one:

    1. Derive a class from `TaskSpec`. Its fields are options that a project states under `[task]`.
    2. Write `metric`, `check`, `answers`, `score` and `agreement`; and `collect` where a label is more than a number.
    3. Register it under the name that a project states as `[model] task`:

           [project.entry-points."edgekit.tasks"]
           counting = "my_package:Counting"

    An example, for outputs [N, 1] that count things, and labels int [N]:

        class Counting(TaskSpec):
            within: int = 0

            @property
            def metric(self):
                return Metric("exact")

            def check(self, outputs, labels):
                if next(iter(outputs.values())).shape[1:] != (1,):
                    raise LabelError("counting needs one number a sample")

            def answers(self, outputs):
                return np.rint(next(iter(outputs.values()))[:, 0])

            def score(self, answers, labels):
                return Scores((np.abs(answers - labels) <= self.within).astype(float))

            def agreement(self, reference, candidate):
                return (reference == candidate).astype(float)
    """

    @property
    def metric(self) -> Metric:
        """The metric that gates and reports name first."""
        ...

    @property
    def margin(self) -> float:
        """Difference of two scores of one sample above which its answer counts as flipped; 0 for right and wrong."""
        ...

    @property
    def trains_on_labels(self) -> bool:
        """True if labels are classes or values for the first output, so that a network can be trained on them."""
        ...

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Make one array [N, …] of the labels of N samples, as the data set gives them.

        classes: number of the project's classes; 0 where it names none. Raises DataError where a label is not of this
        task, or out of range. Called before anything is loaded.
        """
        ...

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError, with a hint, if these outputs cannot be read, or not be scored by these labels.

        labels: [N, …], or None where there are none. Called before all that follow.
        """
        ...

    def class_count(self, outputs: Outputs) -> int | None:
        """Number of classes that the outputs [N, …] score, where names of classes must be as many; else None."""
        ...

    def answers(self, outputs: Outputs) -> Answers:
        """Answers to N samples, from the model's outputs [N, …]."""
        ...

    def score(self, answers: Answers, labels: Array) -> Scores:
        """Scores of the answers, by labels [N, …]."""
        ...

    def class_scores(self, outputs: Outputs, labels: Array | None) -> ClassScores | None:
        """Scores of classes that the answers are chosen by, with the truth; None where outputs hold none.

        labels: [N, …], or None where there are none. From these, calibration and out-of-distribution scores follow. A
        task that gives some derives from `ClassTaskSpec`.
        """
        ...

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        """Agreement float64 [N] of two endpoints on each sample, in [0, 1]: 1 where they answer alike."""
        ...

    def secondary(self, reference: Answers, candidate: Answers, labels: Array | None) -> Sequence[SecondaryFigure]:
        """Figures that reports show beside the metric, and no gate bounds; of both endpoints, or of the pair.

        labels: [N, …], or None where there are none.
        """
        ...

    def distinct(self, answers: Answers) -> int:
        """Number of different answers among all samples."""
        ...

    def chance(self, labels: Array) -> float | None:
        """Metric of the best answer that does not depend on the sample; None where it is not known."""
        ...

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        """Text of the answer to sample `i`, for people. classes: names of the classes, if there are any."""
        ...

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        """Text of the label of sample `i`, for people."""
        ...


class TaskSpec(Spec):
    """Options of a task, and what most tasks have in common."""

    flip_margin: ClassVar[float] = 0.0
    label_targets: ClassVar[bool] = False
    also: ClassVar[tuple[str, ...]] = ()
    """Values of the option `metric` that are measured in any case, where the same answers serve them all."""

    @property
    def margin(self) -> float:
        return self.flip_margin

    @property
    def trains_on_labels(self) -> bool:
        return self.label_targets

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        """Stack labels of one shape: int64 or float64 [N, …]."""
        return stacked(labels)

    def check_inputs(self, inputs: Mapping[str, Input]) -> None:
        """Raise SpecError if the options do not go with the inputs of the model, before anything is loaded."""

    def class_count(self, outputs: Outputs) -> int | None:
        return None

    def class_scores(self, outputs: Outputs, labels: Array | None) -> ClassScores | None:
        return None

    def secondary(self, reference: Answers, candidate: Answers, labels: Array | None) -> Sequence[SecondaryFigure]:
        """Metrics of `also` that are not the one that gates name."""
        chosen = getattr(self, "metric_name", None)
        others = [self.model_copy(update={"metric_name": name}) for name in self.also if name != chosen]
        if labels is None:
            return ()
        return tuple(metric_figure(cast(Task, task), reference, candidate, labels) for task in others)

    def distinct(self, answers: Answers) -> int:
        """Count different answers, of an array [N, …] or a mapping of such arrays, bit by bit."""
        columns = list(answers.values()) if isinstance(answers, Mapping) else [answers]
        return len(
            {tuple(np.ascontiguousarray(column[i]).tobytes() for column in columns) for i in range(len(columns[0]))}
        )

    def chance(self, labels: Array) -> float | None:
        return None

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        return short(answers[i])

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return short(labels[i])


class ClassTaskSpec(TaskSpec):
    """Options of a task whose first output scores classes."""

    scores: Form | None = None
    """Form of the scores, `logits` or `probabilities`; by default told by the reference's values: probabilities lie in
    [0, 1], and those of one class of several add up to 1."""


def scores_classes(task: Task) -> bool:
    """True if the task, or the one that it wraps, may give class scores: others need not decode outputs for them."""
    return isinstance(getattr(task, "task", task), ClassTaskSpec)


def metric_figure(task: Task, reference: Answers, candidate: Answers, labels: Array) -> SecondaryFigure:
    """Metric of a task, for both endpoints."""
    return SecondaryFigure(
        name=task.metric.name,
        unit=task.metric.unit,
        reference=task.score(reference, labels).value,
        candidate=task.score(candidate, labels).value,
    )


def first_output(outputs: Outputs) -> tuple[str, Array]:
    """Name and array of the first output."""
    return next(iter(outputs.items()))


def shape_text(outputs: Outputs) -> str:
    """Names and shapes of outputs, for errors."""
    return ", ".join(f"'{name}' {list(array.shape)}" for name, array in outputs.items())


def class_text(label: int, classes: Sequence[str]) -> str:
    """Name of a class, or its number where it has none."""
    return classes[label] if 0 <= label < len(classes) else f"class {label}"


def joined(texts: Sequence[str], most: int, separator: str) -> str:
    """Join the first `most` texts; an ellipsis stands for the others."""
    return separator.join([*texts[:most], *(["…"] if len(texts) > most else [])])


def squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Shape without its axes of length 1, but for the first, which counts the samples."""
    return (shape[0], *(length for length in shape[1:] if length != 1))


def short(value: Any) -> str:
    """Text of a number, or of an array by its shape and first values."""
    array = np.asarray(value)
    if array.ndim == 0:
        return f"{array.item():.4g}" if array.dtype.kind == "f" else str(array.item())
    values = ", ".join(short(one) for one in array.ravel()[:4])
    return f"[{values}{', …' if array.size > 4 else ''}]"


def scorable(task: Task, outputs: Outputs, labels: Array) -> Array:
    """Labels that the task scores: `labels`, or `unlabelled` where few samples leave it nothing to score.

    Of held-out samples each may be the only one of its identity: agreement alone judges them then.
    """
    if not is_labelled(labels):
        return labels
    try:
        task.check(outputs, labels)
    except DataError:
        return unlabelled(len(labels))
    return labels
