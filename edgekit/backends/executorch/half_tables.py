"""Embedding tables in float16: the rows that are looked up become float32, never a whole table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.export import ExportedProgram

from edgekit.errors import LoweringError
from edgekit.frontend.canonical import drop_unused, exported_again
from edgekit.frontend.computed_weights import constants
from edgekit.passes.module_patterns import is_skipped, module_path
from edgekit.passes.quantization.embedding_tables import lookups, value


def with_half_tables(exported: ExportedProgram, kept: Sequence[str]) -> ExportedProgram:
    """Program whose tables are float16; `exported` itself if it has none.

    kept: patterns of modules that stay in float32. A layer that reads a table, as a tied output layer does, keeps the
    float32 table. Raises LoweringError for a table with numbers that float16 does not hold.
    """
    module: Any = exported.module()
    constant = constants(module)
    names: dict[Any, str] = {}
    for lookup in list(lookups(module)):
        table, node = value(module, lookup.table), lookup.node
        if table.dtype is not torch.float32 or lookup.indices in constant or is_skipped(node, kept):
            continue
        if not table.half().isfinite().all():
            raise LoweringError(
                f"the table of '{module_path(node)}' holds numbers beyond 65504, which half precision lacks",
                hint=f"add '{module_path(node)}' to [quantize] skip",
            )
        name = names.setdefault(lookup.table.target, f"half_table_{len(names)}")
        if not hasattr(module, name):
            module.register_buffer(name, table.half())
        with module.graph.inserting_before(node):
            half = module.graph.get_attr(name)
        with module.graph.inserting_after(node):
            rows = module.graph.call_function(torch.ops.aten._to_copy.default, (), {"dtype": torch.float32})
        node.replace_all_uses_with(rows)
        rows.args = (node,)
        rows.meta = {key: node.meta[key] for key in ("nn_module_stack", "stack_trace") if key in node.meta}
        node.replace_input_with(lookup.table, half)
    if not names:
        return exported
    module.graph.eliminate_dead_code()
    module.recompile()
    drop_unused(module)
    return exported_again(module, exported)
