"""Free lengths in torch.export: dimensions with ranges, for capture and whenever a program is exported again."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram
from torch.export.graph_signature import InputKind

from edgekit.ir.signature import FreeLength

Dims = dict[int, Any]
"""Dimensions of the free axes of one argument, by axis, the batch axis counted."""


def project_dims(shapes: Sequence[Mapping[int, FreeLength]]) -> list[Dims]:
    """Dimensions for arguments with these free axes: one for each name, whose values are the admissible lengths."""
    dims: dict[str, Any] = {}
    return [{axis: dims.setdefault(length.name, _dim(length)) for axis, length in free.items()} for free in shapes]


def export(module: torch.nn.Module, examples: tuple[Tensor, ...], dims: Sequence[Dims]) -> ExportedProgram:
    """Export `module` with the free axes `dims`, one mapping an argument; static where all are empty."""
    if not any(dims):
        return torch.export.export(module, examples)
    shapes: Any = tuple(free or None for free in dims)
    parameters = inspect.signature(module.forward).parameters.values()
    if any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters):
        shapes = (shapes,)
    return torch.export.export(module, examples, dynamic_shapes=shapes)


def exported_like(module: torch.nn.Module, exported: ExportedProgram, examples: tuple[Tensor, ...]) -> ExportedProgram:
    """Export `module`, a changed copy of `exported`, with the free axes of `exported`."""
    return export(module, examples, program_dims(exported))


def program_dims(exported: ExportedProgram) -> list[Dims]:
    """Free axes of a program's arguments, as dimensions of the same ranges."""
    symbols: dict[Any, Any] = {}
    return [
        {
            axis: _dim_of(size.node.expr, exported, symbols)
            for axis, size in enumerate(value.shape)
            if isinstance(size, torch.SymInt) and size.node.expr.free_symbols
        }
        for value in _arguments(exported)
    ]


def output_expressions(exported: ExportedProgram, names: Mapping[str, tuple[int, int]]) -> list[dict[int, Any]]:
    """For each output its axes that are not of one length, with a function from the free lengths to the axis's length.

    names: a place (argument, axis) of every free length, by name.
    """
    inputs = _arguments(exported)
    places = {name: inputs[argument].shape[axis].node.expr for name, (argument, axis) in names.items()}
    outputs = [node.meta["val"] for node in exported.graph.output_node().args[0]]
    return [
        {
            axis: _function(size.node.expr, places)
            for axis, size in enumerate(value.shape)
            if isinstance(size, torch.SymInt) and size.node.expr.free_symbols
        }
        for value in outputs
    ]


def _arguments(exported: ExportedProgram) -> list[Any]:
    """Values of the program's arguments, without weights, as the export traced them."""
    names = {spec.arg.name for spec in exported.graph_signature.input_specs if spec.kind is InputKind.USER_INPUT}
    return [node.meta["val"] for node in exported.graph.nodes if node.op == "placeholder" and node.name in names]


def _function(expression: Any, places: Mapping[str, Any]) -> tuple[tuple[str, ...], Callable[[Mapping[str, int]], int]]:
    """Names of the lengths that an expression depends on, and its value for lengths by name."""
    used = {name: place for name, place in places.items() if place.free_symbols & expression.free_symbols}

    def value(lengths: Mapping[str, int]) -> int:
        substitution = {}
        for name, place in used.items():
            (symbol,) = place.free_symbols
            offset = place.subs(symbol, 0)
            substitution[symbol] = (lengths[name] - offset) // (place.subs(symbol, 1) - offset)
        return int(expression.subs(substitution))

    return tuple(used), value


def _dim(length: FreeLength) -> Any:
    """Dimension of a free length: of step 1 itself, else a multiple of the step, plus what remains.

    torch 2.13 narrows a range of steps that begins at 1 when it traces a quantized program: ours begin at 2.
    """
    if length.step == 1 and length.least > 1:
        return Dim(length.name, min=length.least, max=length.most)
    first = max(2, length.least // length.step)
    offset = length.least - first * length.step
    steps = Dim(f"{length.name}_steps", min=first, max=first + len(length.all) - 1)
    return _linear(steps, length.step, offset)


def _dim_of(expression: Any, exported: ExportedProgram, symbols: dict[Any, Any]) -> Any:
    (symbol,) = expression.free_symbols
    if symbol not in symbols:
        bounds = exported.range_constraints[symbol]
        symbols[symbol] = Dim(str(symbol), min=int(bounds.lower), max=int(bounds.upper))
    offset = int(expression.subs(symbol, 0))
    scale = int(expression.subs(symbol, 1)) - offset
    return _linear(symbols[symbol], scale, offset)


def _linear(dim: Any, scale: int, offset: int) -> Any:
    scaled = dim if scale == 1 else scale * dim
    return scaled + offset if offset else scaled
