"""What a backend owes the pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Protocol

from edgekit.ir.artifact import Artifact, Format
from edgekit.specs.compression import Quantize
from edgekit.specs.target import Precision, RuntimeSpec, Target

if TYPE_CHECKING:
    from edgekit.ir.program import Program
    from edgekit.passes.quantization.quantize import Quantization


class Backend(Protocol):
    """One way from a Program to a file that a device loads. Built-ins and plug-ins register in `edgekit.backends`."""

    name: ClassVar[str]
    format: ClassVar[Format]
    packages: ClassVar[tuple[str, ...]]
    """Distributions whose versions decide the bytes: part of the cache key and of the bundle's manifest."""
    preload: ClassVar[tuple[str, ...]]
    """Modules that a lowering needs, imported while the program is still being captured."""

    refuses: ClassVar[Mapping[Precision, str]]
    """Why it cannot make a file of that precision; every precision that is not named works, on any target."""
    at_lowering: ClassVar[frozenset[Precision]]
    """The precisions that `lower` makes of a float program by itself; programs of the others come to it quantized."""

    def quantization(self, recipe: Quantize, runtime: RuntimeSpec) -> Quantization:
        """The quantizer that annotates what this backend's kernels fuse, and whether it wants folded weights."""
        ...

    def lower(
        self, program: Program, target: Target, runtime: RuntimeSpec, out: Path, recipe: Quantize | None = None
    ) -> Artifact:
        """Write the artifact into the folder `out`, load it, and read its facts off the loaded graph.

        `recipe` is what is left to do to the program, of a precision `at_lowering`; None lowers it as it is. Raises
        UnsupportedOperator or LoweringError. Called in a process of its own.
        """
        ...
