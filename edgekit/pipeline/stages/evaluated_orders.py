"""Values behind outputs that are indices, on the evaluation samples: what a comparison needs to know ties."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgekit.ir.index_order import IndexOrder
from edgekit.ir.measurement import Measurement
from edgekit.pipeline.stages.compile import Compilation

if TYPE_CHECKING:
    from edgekit.samples import Samples


def evaluated_orders(
    compilation: Compilation, reference: Measurement, candidate: Measurement, samples: Samples | None
) -> dict[str, IndexOrder]:
    """Order of each output of indices in which the two measurements differ, by the float program.

    Empty, and nothing is loaded, where no whole numbers differ; for sequences and free lengths too.
    """
    differs = [
        name
        for name, expected in reference.outputs.items()
        if expected.dtype.kind in "iu"
        and expected.shape == candidate.outputs[name].shape
        and (expected != candidate.outputs[name]).any()
    ]
    if not differs or samples is None or samples.length is not None or len(samples) != len(reference):
        return {}
    from edgekit.backends.index_values import index_orders
    from edgekit.frontend.store import load_program

    program = load_program(compilation.captured)
    columns = [samples.inputs[spec.name] for spec in program.signature.inputs]
    names = [spec.name for spec in program.signature.outputs]
    orders = index_orders(program, columns)
    return {names[place]: order for place, order in orders.items() if names[place] in differs}
