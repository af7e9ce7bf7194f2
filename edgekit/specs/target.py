"""Targets: public facts of a class of hardware (`targets/<id>.toml`)."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field, field_validator, model_validator

from edgekit.errors import UnknownName, suggest
from edgekit.runner.machine.runtime_versions import DISTRIBUTIONS
from edgekit.specs.accelerator_kind import Gpu, Npu, TargetAccelerator, Unit
from edgekit.specs.spec import Flag, Spec, Whole

Precision = Literal["float32", "float16", "static-int8", "static-int16", "dynamic-int8", "weight-int8", "weight-int4"]
"""Number formats of a model that a runtime may run; `Quantize.precision` is the one that a profile asks for."""
PRECISIONS: tuple[Precision, ...] = get_args(Precision)


class Cpu(Spec):
    arch: Literal["aarch64", "x86_64"] = "aarch64"
    cores: tuple[str, ...] = Field(min_length=1)
    features: tuple[str, ...] = ()


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
    npu: Npu | None = None
    runtime: tuple[RuntimeSpec, ...] = Field(min_length=1)
    accelerator: tuple[TargetAccelerator, ...] = ()
    """Ways to run models on the GPU and the NPU, the preferred one of each backend first."""
    deploy: Deploy
    emulation: Emulation | None = None

    def __repr__(self) -> str:
        return f"<Target {self.id}: {self.title}>"

    @model_validator(mode="after")
    def _consistent(self) -> Target:
        kinds = [(accelerator.kind, accelerator.backend) for accelerator in self.accelerator]
        activations = {runtime.backend: runtime.activations for runtime in self.runtime}
        delegates = {runtime.backend: runtime.delegates for runtime in self.runtime}
        for accelerator in self.accelerator:
            name, backend = f"accelerator '{accelerator.kind}'", accelerator.backend
            if getattr(self, accelerator.unit) is None:
                raise ValueError(f"{name} runs on the {accelerator.unit}: state its name under [{accelerator.unit}]")
            if backend not in activations:
                raise ValueError(f"{name} runs files of '{backend}', and no [[runtime]] has that backend")
            if kinds.count((accelerator.kind, backend)) > 1:
                raise ValueError(f"{name} is stated twice for '{backend}'")
            # A delegate gets the same file as the CPU; another accelerator may get one of its own.
            if accelerator.kind in delegates[backend] and activations[backend] not in accelerator.activations:
                raise ValueError(f"{name} does not take the {activations[backend]} activations of its [[runtime]]")
        return self

    def accelerators(self, backend: str, unit: Unit | None = None) -> tuple[TargetAccelerator, ...]:
        """Accelerators that run files of `backend`, all of them or those on one unit, the preferred one first.

        Raises UnknownName if `unit` is stated and nothing of the target runs such a file there.
        """
        able = tuple(each for each in self.accelerator if each.backend == backend and unit in (None, each.unit))
        if unit and not able:
            others = [f"--accelerator {each.unit} --backend {each.backend}" for each in self.accelerator]
            raise UnknownName(
                f"target '{self.id}' has no {unit} that runs files of '{backend}'",
                hint=" or ".join(others) if others else "--accelerator cpu: the target states no accelerator",
            )
        return able

    def accelerator_text(self, accelerator: TargetAccelerator) -> str:
        """Unit, kind, and the architecture that files are made for, such as `npu: qnn-htp v75`."""
        architecture = self.npu.htp if accelerator.unit == "npu" and self.npu else None
        return f"{accelerator.unit}: {accelerator.kind}" + (f" {architecture}" if architecture else "")

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
