"""Accelerators: GPUs and NPUs of a target, and the kinds of software that run models on them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from edgekit.specs.spec import Flag, Spec, Whole

Unit = Literal["gpu", "npu"]
Kind = Annotated[str, Field(pattern="^[a-z0-9]+(-[a-z0-9]+)*$")]
"""Name of a kind of accelerator: that of its file in `accelerators/`, of edgekit, a plug-in or a project."""
KINDS: tuple[Kind, ...] = ("litert-gpu", "qnn-htp", "tensorrt", "cuda", "vulkan", "webgpu")
"""Kinds that edgekit itself has."""
Number = Literal["float32", "float16", "int16", "uint16", "int8", "uint8", "int4"]
"""Number format of a tensor, as an accelerator's kernels take it."""


class Gpu(Spec):
    name: str
    compute: str | None = None
    """CUDA compute capability; None for a GPU without CUDA."""
    sparsity: tuple[str, ...] = ()


class Npu(Spec):
    name: str
    htp: str | None = Field(default=None, pattern="^v[0-9]{2}$")
    """Architecture of Qualcomm's Hexagon Tensor Processor, such as `v75`: a context binary is made for one."""
    soc_model: Whole | None = Field(default=None, gt=0)
    """Number by which Qualcomm's SDK knows the chip."""


class TargetAccelerator(Spec):
    """One way to run models beside the CPU: software of `kind` on the GPU or NPU, for the files of one backend.

    What holds wherever that software runs is in `accelerators/<kind>.toml`: `AcceleratorKind`.
    """

    unit: Unit
    kind: Kind
    backend: str
    activations: tuple[Number, ...] = Field(min_length=1)
    """Formats of activations that it computes in, the preferred one first."""
    weights: tuple[Number, ...] = Field(min_length=1)
    """Formats of weights that it takes, the preferred one first."""


class OperatorRule(Spec):
    """Rule on operators of a kind of accelerator, with the form that it takes."""

    operators: tuple[str, ...] = Field(min_length=1)
    ranks: tuple[Whole, ...] = ()
    """Numbers of axes that it takes, if they are fewer than the kind's; an operator that is not among `takes` has
    none."""
    instead: str
    """Form to write in the network, so that it is taken."""


class ProviderSpec(Spec):
    """Execution provider of onnxruntime by which `.onnx` files run on a kind without a runtime of edgekit's own.

    It is part of a build of onnxruntime, or, with `module`, a library that onnxruntime registers.
    """

    name: str = Field(pattern="^[A-Za-z0-9]+$")
    """Name by which onnxruntime knows it: `OpenVINOExecutionProvider`."""
    package: str
    """Distribution that has it: `onnxruntime-openvino`."""
    module: str = ""
    """Module of the package whose `get_library_path()` tells the library; empty for a build of onnxruntime."""
    options: Mapping[str, tuple[str, ...]] = {}
    """Options of the provider with their values, the default first."""
    cpu: tuple[str, ...] = ()
    """Options `NAME=VALUE` by which it computes on the CPU, so that its times are no accelerator's."""


class KindTrial(Spec):
    """Attempt to run the files of a backend on the kind: what was tried, and what came of it."""

    backend: str
    versions: str
    """Packages that were tried, with their versions."""
    outcome: Literal["runs", "built, not run", "refused"]
    because: str
    """Reason in half a sentence, or what was measured."""
    told: str = ""
    """Message that was seen, word for word."""


class AcceleratorKind(Spec):
    """Facts of one kind of software for accelerators, each with a source."""

    schema_version: Literal[1] = Field(alias="schema")
    id: Kind
    title: str
    unit: Unit
    """Unit that it runs on: `gpu` or `npu`."""
    sources: tuple[str, ...] = Field(min_length=1)
    evidence: Literal["emulated", "claimed", "described"]
    """`emulated`: edgekit builds for it, and the vendor's own emulator runs it. `claimed`: edgekit builds for it by the
    vendor's documented rules. `described`: edgekit does not build for it; the target only says that it is there."""
    ranks: Whole | None = Field(default=None, gt=0)
    """Largest number of axes that most of its kernels take; None if no limit is documented."""
    dynamic_shapes: Flag
    """True if the axes of an input may change from one inference to the next."""
    load: Literal["shaders", "context-binary", "engine", "kernels"]
    """Costs of a load: compiling shaders, preparing a context binary, building an engine, or choosing kernels."""
    kept: str
    """Place where the result of that work is kept for the next load."""
    takes: tuple[str, ...] = ()
    """Operators that it takes, by their names in its files; none where edgekit builds nothing for it."""
    numbers: tuple[str, ...] = ()
    """Number formats of the tensors that it takes; none where the target's accelerator states them."""
    rule: tuple[OperatorRule, ...] = ()
    provider: ProviderSpec | None = None
    """Execution provider that `--accelerator-option kind=` runs `.onnx` files by; None for kinds of edgekit's own."""
    trial: tuple[KindTrial, ...] = ()

    def __repr__(self) -> str:
        return f"<AcceleratorKind {self.id}: {self.title}>"
