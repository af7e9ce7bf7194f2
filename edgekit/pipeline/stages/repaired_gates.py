"""Gates on integers and size of a repaired build: less what the operators cost that repair left in float."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass

from edgekit.specs.compression import MOST_IN_FLOAT
from edgekit.specs.profile import Bound, Gates

SAVED = 0.75
"""Share of a weight's bytes that int8 saves against float32."""


@dataclass(frozen=True)
class FloatWork:
    """Work that repair left in float: shares of the multiply-accumulates and of the weights, in [0, 1]."""

    macs: float = 0.0
    weights: float = 0.0

    @property
    def is_promised(self) -> bool:
        """True if the gates expect that much less."""
        return 0 < max(self.macs, self.weights) <= MOST_IN_FLOAT

    def gates(self, gates: Gates, stated: Collection[str] = ()) -> Gates:
        """Gates that expect that much less in integers, and a file that is larger by it.

        stated: names of gates that the project states itself: these stay, for they are its own need.
        """
        if not self.is_promised:
            return gates
        changed = {
            "integer_macs_share": _lower(gates.integer_macs_share, self.macs),
            "integer_share": _lower(gates.integer_share, self.weights),
            "size_ratio": _higher(gates.size_ratio, SAVED * self.weights),
        }
        return gates.model_copy(update={name: bound for name, bound in changed.items() if bound and name not in stated})

    def fields(self) -> dict[str, float]:
        """Fields, for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{100 * self.macs:.1f} % of the multiply-accumulates and {100 * self.weights:.1f} % of the weights"


def _lower(bound: Bound | None, share: float) -> Bound | None:
    if bound is None or bound.min is None:
        return None
    return bound.model_copy(update={"min": round(max(bound.min - share, 0.0), 4)})


def _higher(bound: Bound | None, share: float) -> Bound | None:
    if bound is None or bound.max is None:
        return None
    return bound.model_copy(update={"max": round(bound.max + share, 4)})
