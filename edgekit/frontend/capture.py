"""Model → Program, by torch.export."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import Any, TextIO, cast

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from edgekit.errors import CaptureError, SpecError
from edgekit.frontend.load import Model
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.specs.factory import RAISED, in_a_line, place
from edgekit.specs.project import Project


def capture(model: Model) -> Program:
    """The model as an exported program, batch 1. Raises CaptureError that names the module and the line."""
    try:
        with torch.no_grad(), contextlib.redirect_stderr(cast(TextIO, _Quiet(sys.stderr))):
            exported = torch.export.export(model.module, model.examples)
            results = model.module(*model.examples)
    except RAISED as error:
        where = f"{_module(error, model)}{place(error, model.project.root)}"
        raise CaptureError(
            f"torch.export could not trace {where}: {in_a_line(error)}",
            hint="control flow that depends on a tensor's values must become torch.where or torch.cond",
        ) from error
    return Program(exported, signature(model.project, results), model.history)


def signature(project: Project, results: Any) -> Signature:
    """The edges of the captured model: the project's input names, and the names or numbers of its outputs."""
    inputs = tuple(TensorSpec(name, spec.raw_dtype, (1, *spec.raw_shape)) for name, spec in project.inputs.items())
    leaves = pytree.tree_leaves(results)
    names = output_names(project, results, len(leaves))
    outputs = tuple(_output(name, leaf) for name, leaf in zip(names, leaves, strict=True))
    return Signature(inputs, outputs)


def output_names(project: Project, results: Any, count: int) -> tuple[str, ...]:
    """As the project states them, as the model's dict has them, or `output`, `output_0`, `output_1` …"""
    stated = project.model.outputs
    if stated and len(stated) != count:
        raise SpecError(f"[model] outputs names {len(stated)}, the model returns {count}")
    if stated:
        return stated
    if isinstance(results, dict) and len(results) == count:
        return tuple(str(key) for key in results)
    return ("output",) if count == 1 else tuple(f"output_{i}" for i in range(count))


def _output(name: str, leaf: Any) -> TensorSpec:
    if not isinstance(leaf, Tensor):
        raise CaptureError(
            f"output '{name}' is {type(leaf).__name__}, not a tensor",
            hint="forward must return a tensor, or a tuple, list or dict of tensors",
        )
    return TensorSpec(name, str(leaf.dtype).removeprefix("torch."), tuple(leaf.shape))


class _Quiet:
    """A stream that drops what this thread writes: torch.export prints the whole graph where it fails."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() == self._thread else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def _module(error: BaseException, model: Model) -> str:
    """`module 'layer1.0' (Block)`: the innermost of the user's modules that was running when `error` was raised."""
    names = {id(module): name for name, module in model.module.model.named_modules()}
    found = "the model"
    trace = error.__traceback__
    while trace:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and names.get(id(owner)):
            found = f"module '{names[id(owner)]}' ({type(owner).__name__})"
        trace = trace.tb_next
    return found
