"""Size of the float file, which sizes are compared with: of the file, or of a large model computed without it.

To make the float file of a large model, a converter holds several copies of all weights: more than the rest of a build.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from edgekit.backends.lowering_process import Lowering
from edgekit.backends.store import load_artifact
from edgekit.cache import digest_of
from edgekit.frontend.program_size import LARGE_BYTES, weight_sizes
from edgekit.frontend.store import PROGRAM
from edgekit.pipeline.stages.program_stages import LoweringStage

FILE = "float_size.json"
STAGE = "float size"


@dataclass(frozen=True)
class FloatSize:
    """Size of a program's float file, in bytes."""

    size_bytes: int
    weight_bytes: int | None
    is_computed: bool = False
    """True if there is no such file: its size is that of the tensors, which is a little less."""

    @classmethod
    def read(cls, folder: Path) -> FloatSize:
        """Read the size of the float artifact in `folder`, or what `float_size_stage` computed."""
        if (folder / FILE).exists():
            return _FLOAT_SIZE.validate_json((folder / FILE).read_bytes())
        artifact = load_artifact(folder)
        return cls(artifact.size_bytes, artifact.weight_bytes)

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentence for the report; none where the file was made."""
        if not self.is_computed:
            return ()
        return (
            f"The float file was not made: the model has {LARGE_BYTES / 1e6:.0f} MB or more in float32, and sizes are "
            "compared with that of its tensors.",
        )


_FLOAT_SIZE = TypeAdapter(FloatSize)


def is_large(captured: Path | None) -> bool:
    """True if the program in the folder `captured` is there, and large."""
    return captured is not None and weight_sizes(captured / PROGRAM).is_large


def float_size_stage(program_key: Callable[[], str], program: Callable[[], Path]) -> LoweringStage:
    """Stage in the place of the lowering in float32. program: makes the folder of the captured program."""

    def make(out: Path, worker: Lowering, folder: Path) -> None:
        sizes = weight_sizes(folder / PROGRAM)
        size = FloatSize(sizes.size_bytes, sizes.weight_bytes, is_computed=True)
        (out / FILE).write_bytes(_FLOAT_SIZE.dump_json(size))

    return LoweringStage(STAGE, lambda: digest_of({"stage": STAGE, "program": program_key()}), make, program)
