"""Selection of samples from a larger set: stratified by class, or spread over the order of the set."""

from __future__ import annotations

import numpy as np

from edgekit.ir.measurement import Array

SEED = 20250105
FEW = 32
"""Smallest number that is stratified by class. Fewer samples, such as golden vectors, are spread over the set."""


def stratified(classes: Array, count: int) -> list[int]:
    """Select `count` indices into `classes`, int [N], ascending: of every class its share, spread over its samples.

    Proportional allocation, rounded by largest remainder (Hamilton's method); of equals the smaller class label first.
    """
    _, members, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    shares, remainders = np.divmod(count * sizes, len(classes))
    more = np.argsort(-remainders, kind="stable")[: count - shares.sum()]
    shares[more] += 1
    places = (np.flatnonzero(members == k) for k in range(len(sizes)))
    return sorted(int(place[i]) for place, share in zip(places, shares, strict=True) for i in spread(len(place), share))


def paired(identities: Array, count: int) -> list[int]:
    """Select at most `count` indices into `identities`, int [N], ascending: two of each of some identities.

    A sample is found by another of its identity, which few have in a selection that is spread over the set. Identities
    of one sample alone fill what is left.
    """
    _, members, sizes = np.unique(identities, return_inverse=True, return_counts=True)
    several = np.flatnonzero(sizes > 1)
    chosen = several[spread(len(several), min(len(several), count // 2))]
    pairs = [int(i) for each in chosen for i in np.flatnonzero(members == each)[:2]]
    alone = np.flatnonzero(sizes[members] == 1)
    return sorted([*pairs, *map(int, alone[spread(len(alone), min(len(alone), count - len(pairs)))])])


def spread(total: int, count: int) -> list[int]:
    """Select `count` of `total` indices, ascending: one at random from each of `count` equal stretches (fixed seed).

    Stratified over the order of the set: a set sorted by class keeps its proportions, and one whose classes take turns
    does not fall into step with the choice. No index comes twice; `count` is at most `total`.
    """
    edges = np.linspace(0, total, count + 1)
    draws = np.random.default_rng(0).random(count)
    chosen: list[int] = []
    for low, high, draw in zip(edges, edges[1:], draws, strict=False):
        index = int(low + (high - low) * draw)
        # A stretch may begin in the middle of an index, which the stretch before it has drawn, too.
        chosen.append(max(index, chosen[-1] + 1) if chosen else index)
    return chosen


def random_order(total: int, classes: Array | None = None, groups: Array | None = None) -> Array:
    """Order of `total` samples, int64 [total]: random with a fixed seed, each class with its share in any beginning.

    A beginning of it is a sample of the whole, as early looks need. classes: int [total], or None. groups: int
    [total]: samples of one follow each other, as half a group would say less than its number of samples does.
    """
    rng = np.random.default_rng(SEED)
    if groups is not None:
        numbers, group = np.unique(groups, return_inverse=True)
        return np.asarray(np.lexsort((rng.random(total), rng.permutation(len(numbers))[group])))
    if classes is None:
        return rng.permutation(total)
    _, members, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    shuffled = rng.permutation(total)
    by_class = shuffled[np.argsort(members[shuffled], kind="stable")]
    ranks = np.empty(total)
    ranks[by_class] = np.concatenate([np.arange(size) for size in sizes])
    # Each sample falls at random into one of as many equal stretches as its class has samples.
    return np.asarray(np.argsort((ranks + rng.random(total)) / sizes[members], kind="stable"))
