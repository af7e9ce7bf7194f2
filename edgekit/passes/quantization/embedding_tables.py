"""Embedding tables in int8, with a scale for each row: weight-only, whatever the recipe does to layers.

A lookup reads a few rows of a table that is often most of the file. The program gathers rows of integers and their
scales by the same indices, and multiplies: no table is ever dequantized as a whole, and the numbers of the program are
those of the file on every runtime, for one multiplication in float32 rounds the same everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from edgekit.passes.module_patterns import is_skipped

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.fx import GraphModule, Node

aten = torch.ops.aten
NARROWEST = 16
"""Least width of a row that is rounded: a scale costs a narrower one more than a fifth of what its integers weigh."""


PRODUCTS = {aten.matmul.default, aten.bmm.default}
MOVES = {
    aten.reshape.default,
    aten.view.default,
    aten.transpose.int,
    aten.permute.default,
}
"""Operators that may stand between matrices that are looked up and the product, beside roundings."""


@dataclass(frozen=True)
class Lookup:
    """Operator that looks up rows of a constant table by indices."""

    node: Node
    table: Node
    """Constant, float32 [rows, width] or [matrices, rows, width], or integers of that shape."""
    indices: Node


@dataclass(frozen=True)
class IntegerLookup:
    """Four operators of a program that look up rows of integers, and dequantize them."""

    lookup: Lookup
    """Lookup of the integers: int8 [rows, width] or [matrices, rows, width]."""
    scales: Lookup
    """Lookup of their scales: float32 [rows, 1] or [matrices, rows, 1]."""
    result: Node
    """Product: the rows in float32."""


def lookups(module: GraphModule) -> Iterator[Lookup]:
    """Lookups in constants along the first axis, in the order of computation: of rows, as embeddings, and of matrices.

    Matrices are weights of experts that a mixture chooses: of three axes, and a factor of a product.
    module: an exported program as a module, so that its constants are attributes.
    """
    for node in module.graph.nodes:
        lookup = _lookup(node)
        if not lookup or lookup.table.op != "get_attr":
            continue
        axes = value(module, lookup.table).dim()
        if axes == 2 or (axes == 3 and _is_multiplied(node)):
            yield lookup


def _is_multiplied(node: Node) -> bool:
    """True if all that reads these matrices, rounded or not, are products."""
    readers = list(node.users)
    return bool(readers) and all(
        reader.target in PRODUCTS or (_is_move(reader) and _is_multiplied(reader)) for reader in readers
    )


def _is_move(node: Node) -> bool:
    # By name: torch knows roundings only once torchao is imported.
    return node.target in MOVES or "quantize_per_tensor" in str(node.target)


def _lookup(node: Node) -> Lookup | None:
    arguments: Any = node.args
    if node.target is aten.embedding.default:
        return Lookup(node, arguments[0], arguments[1])
    if node.target is aten.index_select.default and arguments[1] == 0:
        return Lookup(node, arguments[0], arguments[2])
    # Indices may be negative here, and stay so: both tables are read by the operator that read the one.
    if node.target is aten.index.Tensor and len(arguments[1]) == 1 and not _is_mask(arguments[1][0]):
        return Lookup(node, arguments[0], arguments[1][0])
    return None


def _is_mask(indices: Node) -> bool:
    return indices.meta["val"].dtype is torch.bool


def reads_integer_table(node: Node) -> bool:
    """True for a lookup, in a float program, whose table `with_integer_tables` rounds if the recipe leaves it in."""
    lookup, rows = _lookup(node), node.meta.get("val")
    return lookup is not None and rows is not None and rows.shape[-1] >= NARROWEST


def with_integer_tables(module: GraphModule, kept: Sequence[str]) -> int:
    """Store the tables of `module` as int8, in place, and dequantize the rows that are looked up. Returns their number.

    kept: patterns of modules that stay in float. Lookups by constant indices do too, for converters fold them. A layer
    that reads a table, as a tied output layer does, goes on reading the float table, or the integers that its own
    quantization made.
    """
    from edgekit.frontend.computed_weights import constants

    names: dict[Any, str] = {}
    constant = constants(module)
    for lookup in list(lookups(module)):
        table = value(module, lookup.table)
        if table.dtype is not torch.float32 or table.shape[-1] < NARROWEST:
            continue
        if lookup.indices in constant or is_skipped(lookup.node, kept):
            continue
        name = names.setdefault(lookup.table.target, f"integer_table_{len(names)}")
        if not hasattr(module, name):
            integers, scales = rounded_rows(table)
            module.register_buffer(name, integers)
            module.register_buffer(f"{name}_scales", scales)
        _replace(module, lookup, name)
    if names:
        from edgekit.frontend.canonical import drop_unused

        module.graph.eliminate_dead_code()
        module.recompile()
        drop_unused(module)
    return len(names)


def exported_with_integer_tables(exported: ExportedProgram, kept: Sequence[str]) -> ExportedProgram:
    """Program of `exported` with tables in int8, for backends that quantize as they lower; itself if it has none."""
    from edgekit.frontend.canonical import exported_again

    module: Any = exported.module()
    return exported_again(module, exported) if with_integer_tables(module, kept) else exported


def rounded_rows(table: Tensor) -> tuple[Tensor, Tensor]:
    """Round a table, float32 [..., width], to int8 in [-127, 127], by the largest magnitude of each row.

    Returns the integers, and the scales float32 [..., 1].
    """
    table = table.detach()
    scales = (table.abs().amax(-1, keepdim=True) / 127).clamp(min=torch.finfo(torch.float32).tiny)
    return (table / scales).round().clamp(-127, 127).to(torch.int8), scales


def _replace(module: GraphModule, lookup: Lookup, name: str) -> None:
    """Read `lookup` of the integer table called `name`, in place."""
    node, graph = lookup.node, module.graph
    with graph.inserting_before(node):
        tables = [graph.get_attr(constant) for constant in (name, f"{name}_scales")]
        integers, scales = (graph.node_copy(node) for _ in tables)
        integers.replace_input_with(lookup.table, tables[0])
        scales.replace_input_with(lookup.table, tables[1])
        real = graph.call_function(aten._to_copy.default, (integers,), {"dtype": torch.float32})
        product = graph.call_function(aten.mul.Tensor, (real, scales))
    for each in (integers, scales, real, product):
        each.meta = {key: node.meta[key] for key in ("nn_module_stack", "stack_trace") if key in node.meta}
    node.replace_all_uses_with(product)
    graph.erase_node(node)


def integer_lookups(module: GraphModule) -> Iterator[IntegerLookup]:
    """Lookups of integer tables that `with_integer_tables` made, as they are in an exported program."""
    for lookup in lookups(module):
        if value(module, lookup.table).dtype is not torch.int8 or len(lookup.node.users) != 1:
            continue
        (real,) = lookup.node.users
        (product,) = real.users if len(real.users) == 1 else (None,)
        others = [arg for arg in product.all_input_nodes if arg is not real] if product is not None else []
        scales = _lookup(others[0]) if len(others) == 1 else None
        if product is not None and product.target is aten.mul.Tensor and scales and scales.indices is lookup.indices:
            yield IntegerLookup(lookup, scales, product)


def value(module: GraphModule, constant: Node) -> Tensor:
    """Tensor that a `get_attr` node of `module` reads."""
    path, _, name = str(constant.target).rpartition(".")
    tensor: Tensor = getattr(module.get_submodule(path), name)
    return tensor.detach()
