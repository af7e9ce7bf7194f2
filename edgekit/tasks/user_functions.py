"""Functions of a project's own, which decode outputs or score answers: `decode` and `metric` under `[task]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.errors import DataError, EdgekitError
from edgekit.ir.measurement import Array
from edgekit.specs.factory import RAISED, in_a_line, place, resolve
from edgekit.tasks.class_scores import ClassScores
from edgekit.tasks.metric import Metric, Scores
from edgekit.tasks.secondary import SecondaryFigure
from edgekit.tasks.task import Answers, Outputs, Task, scores_classes, shape_text

SCORES = "it takes (outputs, labels) and returns one number in [0, 1] a sample, float [N]"
DECODED = "it takes outputs, a dict of arrays [N, …], and returns a dict of arrays [N, …]"


@dataclass(frozen=True)
class CustomTask:
    """A task whose outputs are decoded, or whose answers are scored, by functions of the project."""

    task: Task
    root: Path
    decode: str | None = None
    """`file.py:name` of a function from outputs to the outputs that the task reads, each [N, …] by name."""
    scoring: str | None = None
    """`file.py:name` of a function from (outputs, labels) to scores float [N] in [0, 1]."""

    @property
    def metric(self) -> Metric:
        return Metric(self.scoring.rpartition(":")[2]) if self.scoring else self.task.metric

    @property
    def margin(self) -> float:
        return self.task.margin

    @property
    def trains_on_labels(self) -> bool:
        return self.task.trains_on_labels and self.decode is None

    def collect(self, labels: Sequence[Any], classes: int) -> Array:
        return self.task.collect(labels, classes)

    def check(self, outputs: Outputs, labels: Array | None) -> None:
        """Raise DataError if the task cannot read the decoded outputs. Labels are the scoring function's, if any."""
        self.task.check(self._decoded(outputs), None if self.scoring else labels)

    def class_count(self, outputs: Outputs) -> int | None:
        return self.task.class_count(self._decoded(outputs))

    def class_scores(self, outputs: Outputs, labels: Array | None) -> ClassScores | None:
        """Scores of the decoded outputs; without truth where the labels are for the scoring function."""
        if not scores_classes(self.task):
            return None
        return self.task.class_scores(self._decoded(outputs), None if self.scoring else labels)

    def answers(self, outputs: Outputs) -> Answers:
        """Decoded outputs, and the task's answers to them."""
        decoded = self._decoded(outputs)
        return decoded, self.task.answers(decoded)

    def score(self, answers: Answers, labels: Array) -> Scores:
        if self.scoring is None:
            return self.task.score(answers[1], labels)
        hint = f"{SCORES}; outputs are {shape_text(answers[0])}"
        scores = np.asarray(self._call(self.scoring, [answers[0], labels], hint))
        if scores.shape != (len(labels),) or scores.dtype.kind not in "iufb":
            raise DataError(f"'{self.scoring}' gave {scores.dtype} {list(scores.shape)}", hint=SCORES)
        if not ((scores >= 0) & (scores <= 1)).all():
            raise DataError(f"'{self.scoring}' gave a score outside 0 to 1", hint=SCORES)
        return Scores(scores.astype(np.float64))

    def agreement(self, reference: Answers, candidate: Answers) -> Array:
        return self.task.agreement(reference[1], candidate[1])

    def secondary(self, reference: Answers, candidate: Answers, labels: Array | None) -> Sequence[SecondaryFigure]:
        """Figures of the task; without the labels where these are for the scoring function."""
        return self.task.secondary(reference[1], candidate[1], None if self.scoring else labels)

    def distinct(self, answers: Answers) -> int:
        return self.task.distinct(answers[1])

    def chance(self, labels: Array) -> float | None:
        return None if self.scoring else self.task.chance(labels)

    def show(self, answers: Answers, i: int, classes: Sequence[str] = ()) -> str:
        return self.task.show(answers[1], i, classes)

    def show_label(self, labels: Array, i: int, classes: Sequence[str] = ()) -> str:
        return self.task.show_label(labels, i, classes)

    def _decoded(self, outputs: Outputs) -> Outputs:
        if self.decode is None:
            return outputs
        decoded = self._call(self.decode, [dict(outputs)], f"{DECODED}; the model's: {shape_text(outputs)}")
        count = len(next(iter(outputs.values())))
        if not isinstance(decoded, Mapping) or not decoded:
            raise DataError(f"'{self.decode}' gave {type(decoded).__name__}", hint=DECODED)
        arrays = {str(name): np.asarray(values) for name, values in decoded.items()}
        for name, array in arrays.items():
            if array.shape[:1] != (count,) or array.dtype.kind not in "iufb":
                raise DataError(
                    f"'{self.decode}' gave '{name}' as {array.dtype} {list(array.shape)} for {count} samples",
                    hint=DECODED,
                )
        return arrays

    def _call(self, function: str, arguments: Sequence[Any], hint: str) -> Any:
        call: Callable[..., Any] = resolve(function, self.root)
        try:
            return call(*arguments)
        except EdgekitError:
            raise
        except RAISED as error:
            raise DataError(
                f"'{function}' failed{place(error, self.root)}: {in_a_line(error)}",
                hint=hint,
            ) from error
