"""Failures of converters in words: values and sizes that are known on the device only, and unusual tensors."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.fx import Node
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols
from torch.utils import _pytree as pytree

from edgekit.errors import DataDependentShape, LoweringError, UnsupportedOperator
from edgekit.frontend.constructs.catalog import construct_of
from edgekit.frontend.constructs.evidence import CaptureEvidence, evidence_in
from edgekit.frontend.export_failures import UNKNOWN, sentence

NAMED = re.compile(r"'\w+[.:]+(\w+)")
"""Operator in the message of a converter."""
SHOWN = 160
"""Characters of the converter's own message that are shown behind the construct."""


def check_sizes(exported: ExportedProgram) -> None:
    """Raise DataDependentShape if a size of an output is known on the device only."""
    outputs = pytree.tree_leaves([node.args for node in exported.graph.nodes if node.op == "output"])
    if not any(_symbols(node) for node in outputs if isinstance(node, Node)):
        return
    for node in _value_dependent(exported):
        evidence = evidence_in(node)
        construct = construct_of(evidence.failure)
        title = construct.title if construct else "a value that decides the size of an output"
        raise DataDependentShape(
            f"{sentence(evidence, title)}; with it an output has another size for each input",
            hint=construct.hint(evidence.failure) if construct else UNKNOWN,
        )


def lowering_error(error: LoweringError, exported: ExportedProgram) -> LoweringError:
    """Error for a program that a converter refused: it names the construct that few converters take, if there is one.

    Otherwise, and if the converter names an operator that has no part in such a construct, `error` itself.
    """
    if type(error) not in (LoweringError, UnsupportedOperator):
        return error
    names = set(NAMED.findall(str(error)))
    for node, evidence in _constructs(exported):
        construct = construct_of(evidence.failure)
        if construct is None or (isinstance(error, UnsupportedOperator) and not names & _operators(node)):
            continue
        return UnsupportedOperator(
            f"{evidence.place} has {construct.title}, which few converters take{evidence.quotation} "
            f"({str(error)[:SHOWN]})",
            hint=construct.hint(evidence.failure),
        )
    return error


def _constructs(exported: ExportedProgram) -> Iterator[tuple[Node, CaptureEvidence]]:
    """Yield each operator that is part of a construct, with its evidence."""
    for node in _value_dependent(exported):
        yield node, evidence_in(node)
    for node in exported.graph.nodes:
        kind = _unusual(node)
        if kind is not None:
            yield node, evidence_in(node, kind or None)


def _operators(node: Node) -> set[str]:
    """Names of an operator and of those that read its result."""
    return {str(each.target).removeprefix("aten.").partition(".")[0] for each in (node, *node.users)}


def _value_dependent(exported: ExportedProgram) -> Iterator[Node]:
    """Yield each operator that makes a value or a size which is known on the device only."""
    for node in exported.graph.nodes:
        if node.op == "call_function" and _symbols(node) - _symbols(*node.all_input_nodes):
            yield node


def _unusual(node: Node) -> str | None:
    """Word for operators on complex numbers and on sparse tensors, empty for masks in place of indices; else None."""
    values = [value for value in pytree.tree_leaves(node.meta.get("val")) if isinstance(value, Tensor)]
    if node.op != "call_function":
        return None
    if any(value.is_complex() for value in values):
        return "complex"
    if any(value.layout is not torch.strided for value in values) or "sparse" in str(node.target):
        return "sparse"
    return "" if str(node.target).startswith("aten.index") and any(map(_is_mask, _indices(node))) else None


def _indices(node: Node) -> list[Any]:
    """Indices of an `aten.index` or `aten.index_put`."""
    return pytree.tree_leaves(node.args[1]) if len(node.args) > 1 else []


def _is_mask(index: Any) -> bool:
    value = index.meta.get("val") if isinstance(index, Node) else None
    return isinstance(value, Tensor) and value.dtype is torch.bool


def _symbols(*nodes: Node) -> set[Any]:
    """Symbols of the values that are known on the device only, in the values of `nodes`."""
    values = [value for node in nodes for value in pytree.tree_leaves(node.meta.get("val"))]
    symbolic = (Tensor, torch.SymInt, torch.SymFloat, torch.SymBool)
    return {symbol for value in values if isinstance(value, symbolic) for symbol in free_unbacked_symbols(value)}
