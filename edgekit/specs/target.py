"""Targets: public facts of a class of hardware (`targets/<id>.toml`)."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, field_validator

from edgekit.errors import UnknownName, suggest
from edgekit.runner.machine.runtime_versions import DISTRIBUTIONS
from edgekit.specs.spec import Flag, Spec, Whole

Precision = Literal["float32", "float16", "static-int8", "static-int16", "dynamic-int8", "weight-int8", "weight-int4"]
"""Number formats of a model that a runtime may run; `Quantize.precision` is the one that a profile asks for."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


class Cpu(Spec):
    arch: Literal["aarch64", "x86_64"] = "aarch64"
    cores: tuple[str, ...] = Field(min_length=1)
    features: tuple[str, ...] = ()


class Gpu(Spec):
    name: str
    compute: str
    sparsity: tuple[str, ...] = ()


class Memory(Spec):
    ram_mb: Whole = Field(gt=0)


class RuntimeSpec(Spec):
    """One way to execute on the target: a backend, the delegates it may use, and what they can run."""

    backend: str
    delegates: tuple[str, ...] = Field(min_length=1)
    precisions: tuple[Precision, ...] = PRECISIONS
    """Precisions that the board's kernels run, among those that the backend makes."""
    activations: Literal["int8", "uint8"] = "int8"
    """Activation type with which this runtime's integer kernels are fastest on this CPU, or which they require."""


class Deploy(Spec):
    transport: str
    root: str
    runtime: str = "auto"
    """Source of the runtime: a pack (`auto`), the one of the board (`system`), or the pack of that name."""

    @field_validator("runtime")
    @classmethod
    def _known(cls, runtime: str) -> str:
        known = ("auto", "system", *(name for names in DISTRIBUTIONS.values() for name in names))
        if runtime not in known:
            raise ValueError(f"no runtime is named '{runtime}': one of {', '.join(known)}")
        return runtime


class Emulation(Spec):
    qemu_cpu: str
    stands_in: str | None = None
    """Core that is emulated instead, and why; set where QEMU has no such core."""


class Target(Spec):
    """A class of hardware: public facts, each with a source."""

    schema_version: Literal[1] = Field(alias="schema")
    id: str
    title: str
    family: str
    default: Flag = False
    """Let the family's name stand for this board."""
    sources: tuple[str, ...] = Field(min_length=1)
    cpu: Cpu
    memory: Memory
    gpu: Gpu | None = None
    runtime: tuple[RuntimeSpec, ...] = Field(min_length=1)
    deploy: Deploy
    emulation: Emulation | None = None

    def __repr__(self) -> str:
        return f"<Target {self.id}: {self.title}>"

    def select_runtime(self, backend: str | None = None) -> RuntimeSpec:
        """Select the runtime of `backend`, or the preferred one. Raises UnknownName if the target has none such."""
        for runtime in self.runtime:
            if backend in (None, runtime.backend):
                return runtime
        known = [runtime.backend for runtime in self.runtime]
        raise UnknownName(
            f"target '{self.id}' has no backend '{backend}'",
            hint=suggest(str(backend), known, f"it runs: {', '.join(known)}"),
        )
