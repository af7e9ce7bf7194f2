"""Second yardstick of a quantized file: the float program, which tells whose loss a disagreement is."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from edgekit.backends.program_outputs import program_outputs
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.ir.sqnr import sqnr_db
from edgekit.runner.model.tensors import Column

LOST_DB = 3.0
"""Least loss of a converter or runtime, in dB: the file has twice the noise of the program that it was made from."""
USELESS_DB = 6.0
"""SQNR of a quantized program below which a file cannot be told from one that computes something else."""


@dataclass(frozen=True)
class Losses:
    """Distance of a quantized program and of its file from the float program, in dB."""

    quantization_db: float
    file_db: float

    @property
    def is_useless(self) -> bool:
        """True if quantization leaves nothing to compare a file with."""
        return self.quantization_db < USELESS_DB

    @property
    def least_db(self) -> float:
        """Least distance from float of a file that loses nothing more, in dB."""
        return self.quantization_db - LOST_DB

    @property
    def is_refused(self) -> bool:
        """True if the file is farther from float than its program is, or if quantization leaves nothing to compare."""
        return self.is_useless or not self.file_db >= self.least_db

    def __str__(self) -> str:
        both = (
            f"quantization leaves the program {self.quantization_db:.1f} dB from float, the file is {self.file_db:.1f}"
        )
        return f"{both}: the loss is quantization's, not the converter's" if self.is_useless else both


@dataclass(frozen=True)
class FloatYardstick:
    """Outputs of the float program on the same samples, computed only if they are asked for."""

    load: Callable[[], Program]
    columns: Sequence[Column]

    @cached_property
    def outputs(self) -> list[Array]:
        """Outputs of the float program, [N, …] each."""
        return program_outputs(self.load(), self.columns)

    def losses(self, index: int, expected: Array, candidate: Array) -> Losses | None:
        """Losses in one output; None if it has no float values to compare with.

        index: place of the output. expected, candidate: the quantized program's and the file's, of one shape.
        """
        truth = self.outputs[index]
        if truth.shape != expected.shape or truth.dtype.kind != "f":
            return None
        return Losses(sqnr_db(truth, expected), sqnr_db(truth, candidate))
