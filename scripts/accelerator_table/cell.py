"""Cells of the table, and the refusals among them, as the product itself says them before anything is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from edgekit import plugins
from edgekit.errors import AcceleratorMissing, Misfit
from edgekit.ir.artifact import Format
from edgekit.specs.accelerator import BACKENDS, AcceleratorChoice
from edgekit.specs.accelerator_kind import KINDS, KindTrial
from edgekit.specs.catalog import Catalog, builtin_root
from edgekit.specs.compression import Activations, Quantize, Weights
from edgekit.specs.profile import Profile
from edgekit.specs.target import PRECISIONS, Precision, RuntimeSpec, Target

CATALOG = Catalog((builtin_root(),))
FORMATS: dict[str, Format] = {backend: format for format, backend in BACKENDS.items()}
TARGETS = {
    "qnn-htp": "snapdragon-8-gen-3",
    "tensorrt": "jetson-orin-nano",
    "cuda": "jetson-orin-nano",
    "vulkan": "raspberry-pi-5",
}
"""Target whose files a kind is given; those of this machine elsewhere."""
RECIPES: dict[Precision, Quantize | None] = {
    "float32": None,
    "float16": Quantize(mode="float16"),
    "static-int8": Quantize(),
    "static-int16": Quantize(activations=Activations(dtype="int16", symmetric=True)),
    "dynamic-int8": Quantize(mode="dynamic"),
    "weight-int8": Quantize(mode="weight-only"),
    "weight-int4": Quantize(mode="weight-only", weights=Weights(dtype="int4", granularity="per-group", group=32)),
}


class Refusal(NamedTuple):
    """Error that a person gets."""

    code: str
    sentence: str


@dataclass(frozen=True)
class Cell:
    """A backend's files of one precision on one kind of accelerator."""

    backend: str
    kind: str
    precision: Precision

    @property
    def target(self) -> Target:
        return CATALOG.target(TARGETS.get(self.kind, "host"))

    @property
    def runtime(self) -> RuntimeSpec:
        return self.target.select_runtime(self.backend)

    @property
    def trial(self) -> KindTrial | None:
        """Record of what was tried with the backend's files on the kind; None if nothing was."""
        return next((each for each in CATALOG.accelerator(self.kind).trial if each.backend == self.backend), None)

    @property
    def is_untried(self) -> bool:
        """True if its files are built and nothing here can run them."""
        return self.trial is not None and self.trial.outcome == "built, not run"

    @property
    def choice(self) -> AcceleratorChoice:
        """The kind as a person names it."""
        return AcceleratorChoice(CATALOG.accelerator(self.kind).unit, (f"kind={self.kind}",), project=builtin_root())

    def refusal(self) -> Refusal | None:
        """Refusal of the accelerator or of the precision; None if a build is tried."""
        try:
            if not self.is_untried:
                self.choice.request(FORMATS[self.backend])
            profile = Profile(
                schema_version=1,
                id=self.precision,
                summary="Asks for it.",
                families=(self.target.family,),
                quantize=RECIPES[self.precision],
            )
            profile.check(self.target, self.runtime, plugins.load("backends", self.backend).refuses)
        except (AcceleratorMissing, Misfit) as error:
            return Refusal(error.code, str(error))
        return None

    def __str__(self) -> str:
        return f"{self.backend}-{self.kind}-{self.precision}"


def cells() -> list[Cell]:
    """Every cell, by backend, kind and precision."""
    return [Cell(backend, kind, precision) for backend in FORMATS for kind in KINDS for precision in PRECISIONS]
