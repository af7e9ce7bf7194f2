"""State of a project's model: inputs that an output of the step before gives (`[state]` in `edgekit.toml`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    SerializerFunctionWrapHandler,
    Strict,
    field_validator,
    model_serializer,
    model_validator,
)

from edgekit.ir.signature import StatePair, TensorSpec
from edgekit.specs.inputs import Input
from edgekit.specs.lengths import positive_sizes
from edgekit.specs.spec import Spec, Whole
from edgekit.specs.tensor_names import Edge, InputEdge
from edgekit.untrusted.paths import is_inside

ZEROS = "zeros"
FOLDER = "state"
"""Folder of a bundle that holds the initial states which are not zero."""


class StateTensor(Spec):
    """One tensor of state: an input of step t + 1 that an output of step t is passed on to."""

    from_: Edge = Field(alias="from")
    """Name of the output."""
    shape: Annotated[tuple[Whole, ...], Field(min_length=1), AfterValidator(positive_sizes)]
    """Whole shape, with the batch axis wherever it is: a device runs one sequence at a time. A counter is [1]."""
    dtype: Literal["float32", "int32", "int64", "uint8", "bool"] = "float32"
    initial: str = ZEROS
    """State before the first step: `zeros`, or a `.npy` file of that shape and dtype, relative to the project."""
    append: Annotated[int, Strict(), Field(ge=0)] | None = None
    """Axis of a cache: what a step gives has one entry there, which is written at the number of steps before it. None
    where a step gives the whole state."""

    @model_validator(mode="after")
    def _cache(self) -> StateTensor:
        if self.append is None:
            return self
        if self.append >= len(self.shape):
            raise ValueError(f"'append' {self.append} is beyond a shape of {len(self.shape)} axes")
        if self.initial != ZEROS:
            raise ValueError("a cache with 'append' is empty before the first step: leave 'initial' out")
        return self

    @model_serializer(mode="wrap")
    def _without_default(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave `append` out where it is not stated: cache keys of older projects stay as they were."""
        values: dict[str, Any] = written(self)
        return values if self.append is not None else {key: values[key] for key in values if key != "append"}

    @property
    def step_shape(self) -> tuple[int, ...]:
        """Shape of the output of one step."""
        return tuple(1 if axis == self.append else size for axis, size in enumerate(self.shape))

    @field_validator("initial")
    @classmethod
    def _file(cls, initial: str) -> str:
        if initial != ZEROS and not (is_inside(initial) and PurePosixPath(initial).suffix == ".npy"):
            raise ValueError(f"'{ZEROS}', or a .npy file below the project's folder, such as 'h0.npy'")
        return initial


StateTable = dict[InputEdge, StateTensor]


def arguments(inputs: Mapping[str, Input], state: Mapping[str, StateTensor]) -> tuple[TensorSpec, ...]:
    """Arguments of the model, in order: those of `[inputs]`, with a batch axis of 1, then those of `[state]`."""
    data = (TensorSpec(name, spec.raw_dtype, (1, *spec.raw_shape)) for name, spec in inputs.items())
    return (*data, *(TensorSpec(name, spec.dtype, spec.shape) for name, spec in state.items()))


def pairs(state: Mapping[str, StateTensor]) -> tuple[StatePair, ...]:
    """Pairs of the state, by the names of its inputs and outputs."""
    return tuple(
        StatePair(name, spec.from_, None if spec.initial == ZEROS else f"{FOLDER}/{name}.npy", spec.append)
        for name, spec in state.items()
    )


def cache_size(state: Mapping[str, StateTensor]) -> tuple[str, int] | None:
    """The smallest cache, by its name and the steps that it holds; None where nothing is appended."""
    sizes = [(name, spec.shape[spec.append]) for name, spec in state.items() if spec.append is not None]
    return min(sizes, key=lambda size: size[1], default=None)


def check_state(inputs: Mapping[str, Input], state: Mapping[str, StateTensor], outputs: tuple[str, ...]) -> None:
    """Raise ValueError if state and data share a name, or, where outputs are stated, if they do not fit the state."""
    both = sorted(inputs.keys() & state.keys())
    if both:
        raise ValueError(f"'{both[0]}' is an input of [inputs] and of [state]: data or state, not both")
    _check_prefill(inputs, state)
    if not state:
        return
    stepped = next(
        (name for name, spec in inputs.items() if spec.steps or spec.preprocess_function or spec.audio), None
    )
    if stepped:
        kind = "audio" if inputs[stepped].audio else "a function or steps in preprocess"
        raise ValueError(f"'{stepped}' has {kind}; with [state], frames are of the stated size already")
    sources = [spec.from_ for spec in state.values()]
    twice = next((name for name in sources if sources.count(name) > 1), None)
    if twice:
        raise ValueError(f"two inputs of [state] come from output '{twice}'")
    if not outputs:
        return
    for name, spec in state.items():
        if spec.from_ not in outputs:
            raise ValueError(
                f"state '{name}' comes from '{spec.from_}', and [model] outputs names {', '.join(outputs)}"
            )
    if set(sources) == set(outputs):
        raise ValueError("every output is state: one more is needed, that can be judged")


def _check_prefill(inputs: Mapping[str, Input], state: Mapping[str, StateTensor]) -> None:
    name, counts = next(((name, spec.prefill) for name, spec in inputs.items() if spec.prefill), ("", ()))
    if not counts:
        return
    cache = cache_size(state)
    if cache is None:
        raise ValueError(f"'{name}' has 'prefill', which fills a cache: state one with 'append' in [state]")
    if len(inputs) > 1:
        raise ValueError(f"'{name}' has 'prefill': the tokens are then the only input of [inputs]")
    if counts[-1] > cache[1]:
        raise ValueError(f"'{name}' has a 'prefill' of {counts[-1]}, the cache '{cache[0]}' holds {cache[1]}")
