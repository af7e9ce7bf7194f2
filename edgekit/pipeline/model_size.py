"""Limits on the size of a model: the memory of its target, and what its file format holds. Checked before any work."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from edgekit.errors import Misfit
from edgekit.ir.artifact import Format
from edgekit.specs.profile import Profile
from edgekit.specs.state import StateTensor
from edgekit.specs.target import Precision, Target

WEIGHT_BITS: dict[Precision, int] = {
    "float32": 32,
    "float16": 16,
    "static-int8": 8,
    "static-int16": 8,
    "dynamic-int8": 8,
    "weight-int8": 8,
    "weight-int4": 4,
}
"""Bits of a weight by precision, without scales."""
FORMAT_BYTES: dict[Format, tuple[int, str]] = {
    "onnx": ((1 << 31) - 1, "a protobuf"),
    "tflite": ((1 << 31) - 1, "a flatbuffer"),
}
"""Most bytes of weights that a file of the format holds, and its container. A `.pte` has them behind 64-bit offsets."""
FLOAT_BITS = 32


def check_model_size(
    weights: int, state: Mapping[str, StateTensor], profile: Profile, target: Target, backend: str, format: Format
) -> None:
    """Raise Misfit if so many weights and the state fit neither the target's memory nor the format.

    What is pruned may yet fit. weights: number of weights of the model. The float graph, which is converted from, must
    fit the format too.
    """
    if profile.prune:
        return
    check_format_size(weights * FLOAT_BITS // 8, backend, format)
    stored = weights * WEIGHT_BITS[profile.precision] // 8
    check_memory(stored, f"{weights:,} weights in {profile.precision}", target, state)


def check_format_size(size: int, backend: str, format: Format) -> None:
    """Raise Misfit if a format cannot hold a float model of `size` bytes."""
    if format not in FORMAT_BYTES:
        return
    most, container = FORMAT_BYTES[format]
    if size > most:
        raise Misfit(
            f"backend '{backend}' converts from float32, by {container} of at most {_mb(most)}; the weights have "
            f"{_mb(size)}",
            hint="--backend executorch",
        )


def check_memory(size: int, described: str, target: Target, state: Mapping[str, StateTensor]) -> None:
    """Raise Misfit if a target cannot hold a model of `size` bytes in memory, or not beside its state.

    described: the model, for people.
    """
    memory, beside = target.memory.ram_mb << 20, sum(_state_sizes(state).values())
    if size + beside <= memory:
        return
    told, shorter = ("", "") if size > memory else (f", the state {_mb(beside)}", ", a shorter cache under [state]")
    raise Misfit(
        f"{described} take {_mb(size)}{told}, and target '{target.id}' has {_mb(memory)} of memory",
        hint=f"take a profile with smaller weights (edgekit profiles){shorter}, or, if your board has more memory: "
        f"--set target.memory.ram_mb={-(-(size + beside) // (1 << 20)) * 2}",
    )


def check_state_size(state: Mapping[str, StateTensor], target: Target) -> None:
    """Raise Misfit if a target cannot hold the state of a model, such as a decoder's cache, in memory."""
    sizes = _state_sizes(state)
    memory, size = target.memory.ram_mb << 20, sum(sizes.values())
    if size <= memory:
        return
    largest = max(sizes, key=lambda name: sizes[name])
    shape = ", ".join(map(str, state[largest].shape))
    raise Misfit(
        f"the state takes {_mb(size)} ('{largest}' of [{shape}] alone {_mb(sizes[largest])}), and target '{target.id}' "
        f"has {_mb(memory)} of memory",
        hint="state a shorter cache under [state], or, if your board has more memory: "
        f"--set target.memory.ram_mb={-(-size // (1 << 20)) * 2}",
    )


def _state_sizes(state: Mapping[str, StateTensor]) -> dict[str, int]:
    """Bytes of each tensor of the state."""
    return {name: math.prod(tensor.shape) * np.dtype(tensor.dtype).itemsize for name, tensor in state.items()}


def _mb(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
