"""Twins: samples that are in two sets, or twice in one, as they are or nearly so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.data.descriptors import centred
from edgekit.parity.data.fingerprints import Fingerprints
from edgekit.parity.data.nearest import nearest_cosine, nearest_hash
from edgekit.parity.data.sample_kind import Kind
from edgekit.parity.data.similarity import pair_similarity
from edgekit.stratification import spread

NEIGHBOURS = 3
"""Most similar samples by descriptor that are looked at finely."""
VIEWS = ((0, 0), (1, 0), (0, 1), (2, 0))
"""Views of ours and of theirs that are compared: as they are, either one larger, ours mirrored."""
ALIKE: dict[Kind, float] = {"pictures": 0.87, "recordings": 0.9, "tokens": 0.8, "numbers": 0.999}
"""Least similarity of near duplicates. That of pictures was chosen on CIFAR-10 (`scripts/duplicate_recall`)."""
LIKELY: dict[Kind, float] = {"pictures": 0.6, "recordings": -1, "tokens": 0.5, "numbers": 0.9}
"""Least cosine of the descriptors of a pair that is compared finely."""
CLOSER = 2.0
"""A near duplicate is so many times closer than the nearest samples of the set usually are: in a set whose samples all
resemble each other, resemblance tells nothing."""
USUAL = 500
"""Samples whose nearest neighbour tells what is usual."""
FEWEST = 20
"""Smallest set that tells what is usual."""
LEAST_VALUES = 16
"""Fewest values of a sample that may resemble another: two of three numbers are often nearly proportional."""
NEVER = 2.0
"""Limit that no similarity reaches."""


@dataclass(frozen=True)
class Twins:
    """Samples of ours that have a twin in another set, or elsewhere in their own."""

    exact: Array
    """int64 [E]: samples of which another has the same values, in every input."""
    near: Array
    """int64 [K]: samples that resemble another as a copy does, and are no exact ones."""
    partner: Array
    """int64 [K]: the sample that each of `near` resembles most."""
    similarity: Array
    """float32 [K]: that similarity."""
    limit: float
    """Least similarity of near duplicates here; `NEVER` where resemblance tells nothing."""


def twins(ours: Fingerprints, theirs: Fingerprints | None = None, limit: float | None = None) -> Twins:
    """Samples of `ours` that are in `theirs`, or more than once in `ours` if that is None.

    A near duplicate reaches the limit of its kind (`ALIKE`), and is `CLOSER` than neighbours within ours usually are.
    limit: `near_limit(ours)` where it is known already.
    """
    others, own = (ours, np.arange(len(ours))) if theirs is None else (theirs, None)
    exact, limit = _exact(ours, theirs), near_limit(ours) if limit is None else limit
    if not _comparable(ours, others) or limit == NEVER or len(others) <= (own is not None):
        nothing = np.array([], np.int64)
        return Twins(exact, nothing, nothing, nothing.astype(np.float32), limit)
    partner, similarity = most_similar(ours, others, own)
    near = np.setdiff1d(np.flatnonzero(similarity >= limit), exact)
    return Twins(exact, near, partner[near], similarity[near], limit)


def _comparable(ours: Fingerprints, others: Fingerprints) -> bool:
    """True if samples of both can resemble each other: of one kind, and of one size, unless they are texts."""
    shapes = {each.views[0].values.shape[1:] for each in (ours, others)}
    return ours.kind == others.kind and (len(shapes) == 1 or ours.kind == "tokens")


def near_limit(ours: Fingerprints) -> float:
    """Least similarity of a near duplicate, by what is usual within ours; `NEVER` where resemblance tells nothing."""
    least = ALIKE[ours.kind]
    if int(np.prod(ours.views[0].values.shape[1:])) < LEAST_VALUES:
        return NEVER
    if len(ours) < FEWEST:
        return least
    some = np.array(spread(len(ours), min(len(ours), USUAL)))
    usual = float(np.median(most_similar(ours.take(some), ours, some)[1]))
    limit = max(least, 1 - (1 - usual) / CLOSER)
    return limit if limit < 0.9999 else NEVER


def most_similar(ours: Fingerprints, others: Fingerprints, own: Array | None) -> tuple[Array, Array]:
    """The most similar of the others for each of ours, int64 [N], and the similarity, float32 [N].

    own: places of ours among the others, where they are among them. The others must hold one sample more then.
    """
    best, partner = np.full(len(ours), -1, np.float32), np.zeros(len(ours), np.int64)
    for mine, other in VIEWS if ours.kind == "pictures" else VIEWS[:1]:
        a, b = ours.views[mine], others.views[other]
        described = (a.descriptors, b.descriptors)
        if ours.kind == "recordings":
            described = centred(*described)
        columns = list(nearest_cosine(*described, NEIGHBOURS, own).T)
        if mine == other:
            columns += [nearest_hash(x, y, own)[0] for x, y in zip(ours.hashes, others.hashes, strict=True)]
        similarity_of = pair_similarity(ours.kind, a.values, b.values)
        for place, other_place in _worth_a_look(columns, described, ours.kind):
            similarity = similarity_of(place, other_place)
            better = similarity > best[place]
            best[place[better]], partner[place[better]] = similarity[better], other_place[better]
    return partner, best


def _worth_a_look(columns: list[Array], descriptors: tuple[Array, Array], kind: Kind) -> Iterator[tuple[Array, Array]]:
    """Yield places of ours and of theirs, int64 [K] each, of candidates whose descriptors are alike enough."""
    ours, theirs = descriptors
    for i, column in enumerate(columns):
        cosine = np.einsum("ij,ij->i", ours, theirs[column])
        seen = np.any([column == earlier for earlier in columns[:i]], axis=0) if i else np.zeros(len(column), bool)
        place = np.flatnonzero((cosine >= LIKELY[kind]) & ~seen)
        if len(place):
            yield place, column[place]


def _exact(ours: Fingerprints, theirs: Fingerprints | None) -> Array:
    if theirs is not None:
        known = set(theirs.digests)
        return np.array([i for i, digest in enumerate(ours.digests) if digest in known], np.int64)
    _, first, counts = np.unique(np.array(ours.digests, "S32"), return_inverse=True, return_counts=True)
    return np.flatnonzero(counts[first] > 1)
