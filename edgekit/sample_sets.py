"""Named sets of samples beside the evaluation set: perturbed, of another source, or searched for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edgekit.samples import Samples


@dataclass(frozen=True)
class SampleSet:
    """A set of samples that both endpoints are asked, made when its turn comes: dozens of them need no memory at once.

    A new kind of set is a function that returns some of these:

        def darker(samples: Samples) -> SampleSet:
            return SampleSet("darker", lambda: shaded(samples), identity=f"darker 1 {samples.digest}")
    """

    name: str
    """Name, the only one of its kind: answers are given back by it."""
    make: Callable[[], Samples] = field(repr=False, compare=False)
    """Function that makes the samples: the same bytes each time."""
    identity: str | None = None
    """Text that changes with the samples, so that answers are found in the cache before these are made.

    None if they must be made to be told apart: then it is their digest.
    """
