"""Outputs that are indices, in a comparison of two endpoints: a tie in another order is the same answer."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.ir.index_order import IndexOrder
from edgekit.ir.measurement import Array

Outputs = Mapping[str, Array]


def with_ties(expected: Outputs, actual: Outputs, orders: Mapping[str, IndexOrder]) -> dict[str, Array]:
    """Outputs `actual`, with the expected index wherever theirs points to a value that is a tie with it."""
    return {
        name: orders[name].with_ties(expected[name], array) if name in orders else array
        for name, array in actual.items()
    }


def order_db(expected: Array, actual: Array, order: IndexOrder | None, number_db: float) -> float:
    """SQNR of an output in dB: `number_db`, or that of the values that its indices point to, whichever is more."""
    return max(number_db, order.sqnr_db(expected, actual)) if order else number_db
