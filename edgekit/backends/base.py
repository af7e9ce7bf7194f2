"""Interface of backends: from a program to a file that a device's runtime loads."""

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
    """One way from a Program to a file that a device loads.

    To write a backend:

    1. Write a frozen dataclass that can be made without arguments, with the class variables below.
    2. In `check_recipe`, raise Misfit, with a hint, for a recipe that the kernels cannot run. In `quantization`, return
       a torchao PT2E quantizer that annotates the operators which the runtime's integer kernels fuse. Take the
       observers from `passes.quantization.observers`.
    3. In `lower`, convert the program and write the file. Load it in the runtime, and read signature and placement off
       the loaded graph, not off the program. The pipeline then runs the file and compares its outputs with the
       program's (`backends.verify`): a backend need not.
    4. Register it in your package's `pyproject.toml`, and name it under `[[runtime]]` of a target::

           [project.entry-points."edgekit.backends"]
           plain-onnx = "edgekit_plain:PlainOnnx"

    Example of a backend that ships float ONNX only (`tests/plugin` is the whole package)::

        @dataclass(frozen=True)
        class PlainOnnx:
            name: ClassVar[str] = "plain-onnx"
            format: ClassVar[Format] = "onnx"
            packages: ClassVar[tuple[str, ...]] = ("edgekit-plain", *Onnx.packages)
            preload: ClassVar[tuple[str, ...]] = Onnx.preload
            refuses: ClassVar[Mapping[Precision, str]] = {}
            at_lowering: ClassVar[frozenset[Precision]] = frozenset()

            def check_recipe(self, recipe, runtime):
                raise Misfit("'plain-onnx' runs float32 only", hint="--profile plain-float32")

            def quantization(self, recipe, runtime):
                raise Misfit("'plain-onnx' runs float32 only", hint="--profile plain-float32")

            def lower(self, program, target, runtime, out, recipe=None):
                return Onnx().lower(program, target, runtime, out)
    """

    name: ClassVar[str]
    """Name of the entry point, and of `backend` in a target's `[[runtime]]`."""
    format: ClassVar[Format]
    """File format, one that the runner on the device can load."""
    packages: ClassVar[tuple[str, ...]]
    """Distributions whose versions decide the bytes of the file: part of the cache key and of the bundle's manifest."""
    preload: ClassVar[tuple[str, ...]]
    """Modules that `lower` needs; the worker imports them while the program is being captured."""
    refuses: ClassVar[Mapping[Precision, str]]
    """Precisions that the backend cannot lower to, with the reason; every other precision works on any target."""
    at_lowering: ClassVar[frozenset[Precision]]
    """Precisions that `lower` makes of a float program by itself; for all others the program comes quantized."""

    def check_recipe(self, recipe: Quantize, runtime: RuntimeSpec) -> None:
        """Raise Misfit, with a hint, for options of a recipe that the kernels of `runtime` cannot run.

        Asked before anything is loaded, in a process without torch, for precisions that it does not refuse as a whole.
        """
        ...

    def quantization(self, recipe: Quantize, runtime: RuntimeSpec) -> Quantization:
        """Quantizer that annotates what this backend's kernels fuse, and the form in which its converter reads weights.

        recipe: one that `check_recipe` passed.
        """
        ...

    def lower(
        self, program: Program, target: Target, runtime: RuntimeSpec, out: Path, recipe: Quantize | None = None
    ) -> Artifact:
        """Write the artifact into the folder `out`, load it, and read its facts off the loaded graph.

        recipe: the compression that is left to do, of a precision in `at_lowering`; None lowers the program as it is.
        The same program gives the same bytes. Runs in a process of its own, in which a converter may print. Raises
        Misfit for a recipe or target that it cannot serve, UnsupportedOperator for an operator that the runtime lacks,
        LoweringError for anything else that the converter refuses.
        """
        ...
