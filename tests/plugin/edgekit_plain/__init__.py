"""What a third party may bring: a backend that ships float ONNX and nothing else, a board that runs it, a metric."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from edgekit.backends.onnx import Onnx
from edgekit.errors import DataError, Misfit
from edgekit.ir.artifact import Artifact, Format

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edgekit.ir.measurement import Array
    from edgekit.ir.program import Program
    from edgekit.passes.quantization.quantize import Quantization
    from edgekit.specs.compression import Quantize
    from edgekit.specs.target import Precision, RuntimeSpec, Target
    from edgekit.tasks.task import Outputs


def catalog() -> Path:
    """The folder with our `targets/` and `profiles/`."""
    return Path(__file__).parent / "catalog"


@dataclass(frozen=True)
class PlainOnnx:
    """edgekit's ONNX for boards whose runtime has float kernels only."""

    name: ClassVar[str] = "plain-onnx"
    format: ClassVar[Format] = "onnx"
    packages: ClassVar[tuple[str, ...]] = ("edgekit-plain", *Onnx.packages)
    preload: ClassVar[tuple[str, ...]] = Onnx.preload
    refuses: ClassVar[Mapping[Precision, str]] = {}
    at_lowering: ClassVar[frozenset[Precision]] = frozenset()

    def check_recipe(self, recipe: Quantize, runtime: RuntimeSpec) -> None:
        """Raises Misfit: there is nothing to quantize for."""
        raise Misfit("'plain-onnx' runs float32 only", hint="--profile plain-float32")

    def quantization(self, recipe: Quantize, runtime: RuntimeSpec) -> Quantization:
        """Raises Misfit: there is nothing to quantize for."""
        raise Misfit("'plain-onnx' runs float32 only", hint="--profile plain-float32")

    def lower(
        self, program: Program, target: Target, runtime: RuntimeSpec, out: Path, recipe: Quantize | None = None
    ) -> Artifact:
        """As edgekit's ONNX. Raises UnsupportedOperator or LoweringError."""
        return Onnx().lower(program, target, runtime, out)


class TopTwo:
    """Share of samples whose label is among the two largest outputs. Takes the first output, float [N, classes]."""

    name: ClassVar[str] = "top2"

    def check(self, outputs: Outputs, labels: Array) -> None:
        """Raise DataError if labels are no classes, int [N]."""
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise DataError(f"labels are {labels.dtype} {list(labels.shape)}, one class a sample is needed")

    def scores(self, outputs: Outputs, labels: Array) -> Array:
        """float64 [N]: 1 where the label is one of the two, 0 elsewhere."""
        best = np.argsort(-next(iter(outputs.values())), axis=1, kind="stable")[:, :2]
        array: Array = (best == labels[:, None]).any(axis=1).astype(np.float64)
        return array

    def answers(self, outputs: Outputs) -> Array:
        """int64 [N]: the class of the largest output."""
        answers: Array = np.argmax(next(iter(outputs.values())), axis=1)
        return answers

    def chance(self, labels: Array) -> float:
        """Share of the two most frequent labels of int [N]: the best that a constant answer names."""
        counts = np.unique(labels, return_counts=True)[1]
        return float(np.sort(counts)[-2:].sum() / len(labels))
