"""Capture: a model becomes a program, by torch.export."""

from __future__ import annotations

import contextlib
import re
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TextIO, cast

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree

from edgekit.datasets.free_lengths import free_axes
from edgekit.errors import CaptureError, CompileError, FixedLength, FloatDisagreement
from edgekit.frontend.canonical import canonical
from edgekit.frontend.dynamic_shapes import Dims, export, output_expressions, project_dims
from edgekit.frontend.export_failures import capture_error, output_error
from edgekit.frontend.load import Model, examples_at, tested_lengths
from edgekit.frontend.lowering_failures import check_sizes
from edgekit.frontend.output_lengths import with_free_axes
from edgekit.frontend.output_names import output_names
from edgekit.frontend.recurrent_cells import RecurrentCells
from edgekit.frontend.specialization import check_specialization
from edgekit.frontend.state import check_prefill
from edgekit.ir.program import Program
from edgekit.ir.signature import FreeAxis, FreeLength, Signature, TensorSpec
from edgekit.ir.sqnr import FLOAT_DB, sqnr_db
from edgekit.specs.factory import RAISED
from edgekit.specs.inputs import Input
from edgekit.specs.project import Project
from edgekit.specs.state import pairs

FIXED = re.compile(
    "specialized it to be a constant|Constraints violated|Not all values of .* satisfy the generated guard"
)
"""Words of torch.export (2.13) on a network that fixes, or narrows, a length which was to be free."""


def capture(model: Model, samples: Sequence[tuple[Tensor, ...]] = ()) -> Program:
    """Export the model as a program in canonical form, batch 1.

    samples: inputs of the project's data, batch 1 each, on which the program must answer as the network does.

    Raises CaptureError, which names the module, the line and the construct; SpecializedCapture if the program answers
    otherwise than the network for another input; DataDependentShape if an output has no fixed size; FloatDisagreement
    if the canonical form computes another function.
    """
    try:
        quiet = contextlib.redirect_stderr(cast(TextIO, _Quiet(sys.stderr)))
        with torch.no_grad(), quiet, _unchecked_distributions(), warnings.catch_warnings():
            # torch warns of the list that its own recurrent modules keep their weights in.
            warnings.filterwarnings("ignore", r"The tensor attributes? .* assigned during export", UserWarning)
            # Only with state: programs of other models stay as they are.
            with RecurrentCells() if model.project.state else contextlib.nullcontext():
                traced = export(model.module, model.examples, _dims(model.project))
            check_specialization(traced, model, samples)
            exported = canonical(traced)
            results = model.module(*model.examples)
            answers = exported.module()(*model.examples)
    except CompileError:
        raise
    except RAISED as error:
        raise _failure(error, model) from error
    if not model.project.lengths:
        check_sizes(exported)
    _check_outputs(model, results)
    edges = _with_lengths(signature(model.project, results), exported, model.project)
    _check_answers(edges, pytree.tree_leaves(results), pytree.tree_leaves(answers))
    for lengths in tested_lengths(model.project)[:-1]:
        examples = examples_at(model.project, model.examples, lengths)
        with torch.no_grad():
            results, answers = model.module(*examples), exported.module()(*examples)
        _check_answers(edges, pytree.tree_leaves(results), pytree.tree_leaves(answers))
    prefill = tuple(_prefill(model, edges, count) for count in model.project.prefill)
    return Program(exported, replace(edges, prefill=model.project.prefill), model.history, prefill)


@contextlib.contextmanager
def _unchecked_distributions() -> Iterator[None]:
    """Leave out the checks of `torch.distributions`, which ask for values: as torch does for the whole process once it
    has compiled anything, so that a network would be captured or refused by what ran before."""
    checks = torch.distributions.Distribution._validate_args
    torch.distributions.Distribution.set_default_validate_args(False)
    try:
        yield
    finally:
        torch.distributions.Distribution.set_default_validate_args(checks)


def _prefill(model: Model, edges: Signature, count: int) -> Program:
    """Export the network once more, for `count` tokens at a time. Raises what `capture` raises, or StateMismatch."""
    tokens = next(iter(model.project.inputs.values()))
    several = torch.arange(count).remainder(tokens.vocabulary or count)[None].to(model.examples[0].dtype)
    examples = (several, *model.examples[1:])
    try:
        with torch.no_grad(), _unchecked_distributions(), RecurrentCells():
            results = model.module(*examples)
            leaves = pytree.tree_leaves(results)
            inputs = (replace(edges.inputs[0], shape=tuple(examples[0].shape)), *edges.inputs[1:])
            check_prefill(edges, leaves, count)
            outputs = [replace(spec, shape=tuple(leaf.shape)) for spec, leaf in zip(edges.outputs, leaves, strict=True)]
            exported = canonical(torch.export.export(model.module, examples))
            answers = pytree.tree_leaves(exported.module()(*examples))
    except CompileError:
        raise
    except RAISED as error:
        raise _failure(error, model) from error
    signature = replace(edges, inputs=inputs, outputs=tuple(outputs))
    _check_answers(signature, leaves, answers)
    return Program(exported, signature, model.history)


def _failure(error: BaseException, model: Model) -> CaptureError:
    """Error for a network that torch.export could not trace, or traced for one of its free lengths only."""
    if model.project.lengths and FIXED.search(str(error)):
        stated, length = ", ".join(map(str, model.project.lengths)), model.project.lengths[0]
        return FixedLength(
            f"the network works on one length only when it is traced, the project leaves free: {stated}",
            hint="loops over time, and recurrent modules such as nn.GRU, are unrolled: state one length under "
            f"[inputs], such as {length.most} for '{length.name}', and pad to it in the data set",
        )
    return capture_error(error, model.module.model, model.project.root)


def _check_outputs(model: Model, results: Any) -> None:
    """Raise CaptureError, which names the line, if the network returned anything but tensors."""
    leaves = pytree.tree_leaves(results)
    for name, leaf in zip(output_names(model.project, results, len(leaves)), leaves, strict=True):
        if not isinstance(leaf, Tensor):
            raise output_error(name, leaf, model.module.model, model.project.root)


def _check_answers(edges: Signature, results: list[Tensor], answers: list[Tensor]) -> None:
    """Raise FloatDisagreement if the program's floating-point outputs differ from the network's on the examples."""
    for spec, result, answer in zip(edges.outputs, results, answers, strict=True):
        if not result.is_floating_point():
            continue  # an index may tip over on the last bit
        quality = sqnr_db(result.detach().float().numpy(), answer.detach().float().numpy())
        if quality < FLOAT_DB:
            raise FloatDisagreement(
                f"output '{spec.name}' of the traced program is {quality:.1f} dB from the network's, at least "
                f"{FLOAT_DB:.0f} dB was expected",
                hint="report it, with the model: torch.export, or edgekit, took it for another function",
            )


def _free(project: Project) -> list[dict[int, FreeLength]]:
    """Free axes of every input, the batch axis counted."""
    return [{1 + axis: size.length for axis, size in free_axes(spec).items()} for spec in project.inputs.values()]


def _dims(project: Project) -> list[Dims]:
    return project_dims(_free(project))


def _with_lengths(edges: Signature, exported: ExportedProgram, project: Project) -> Signature:
    """Add the free axes of the outputs, as the program computes them. Raises CaptureError if one has no rule."""
    if not project.lengths:
        return edges
    places = {length.name: (i, axis) for i, free in enumerate(_free(project)) for axis, length in free.items()}
    functions = output_expressions(exported, places)
    outputs = zip(edges.outputs, functions, strict=True)
    outputs_with = tuple(with_free_axes(spec, axes, project.lengths) for spec, axes in outputs)
    return replace(edges, outputs=outputs_with, lengths=project.lengths)


def signature(project: Project, results: Any) -> Signature:
    """Signature of the captured model: the project's input names, and the names or numbers of its outputs.

    results: outputs of the network for one call. Raises SpecError or CaptureError.
    """
    inputs = (_input(name, spec) for name, spec in project.inputs.items())
    leaves = pytree.tree_leaves(results)
    names = output_names(project, results, len(leaves))
    outputs = tuple(_output(name, leaf) for name, leaf in zip(names, leaves, strict=True))
    return Signature((*inputs, *project.arguments[len(project.inputs) :]), outputs, pairs(project.state))


def _input(name: str, spec: Input) -> TensorSpec:
    free = tuple(FreeAxis(1 + axis, size.length.name) for axis, size in free_axes(spec).items())
    return TensorSpec(name, spec.raw_dtype, (1, *map(int, spec.raw_shape)), free=free, pad=spec.pad)


def _output(name: str, leaf: Any) -> TensorSpec:
    if not isinstance(leaf, Tensor):
        raise CaptureError(
            f"output '{name}' is {type(leaf).__name__}, not a tensor",
            hint="forward must return a tensor, or a tuple, list or dict of tensors",
        )
    return TensorSpec(name, str(leaf.dtype).removeprefix("torch."), tuple(leaf.shape))


class _Quiet:
    """Stream that drops what this thread writes: torch.export prints the whole graph when it fails."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._thread = stream, threading.get_ident()

    def write(self, text: str) -> int:
        return len(text) if threading.get_ident() == self._thread else self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
