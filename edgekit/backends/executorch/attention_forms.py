"""Forms in which XNNPACK delegates attention, masks and products of stacks of matrices."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.passes.attention.batch_matmul import decompose_stacked_products
from edgekit.passes.attention.broadcast import drop_expands
from edgekit.passes.attention.constant_layout import store_contiguously
from edgekit.passes.attention.forms import rewritten
from edgekit.passes.attention.permutation import join_permutations
from edgekit.passes.attention.scaled_dot_product import decompose_attention
from edgekit.passes.attention.selection import decompose_selections

if TYPE_CHECKING:
    from torch.export import ExportedProgram

REWRITES = (
    store_contiguously,
    decompose_attention,
    decompose_selections,
    decompose_stacked_products,
    drop_expands,
    join_permutations,
)


def with_attention_forms(exported: ExportedProgram) -> ExportedProgram:
    """Program of the same function in these forms; `exported` itself if it has them."""
    return rewritten(exported, REWRITES)
