"""Samples with equal inputs, and such with different labels."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.tasks.label_arrays import is_labelled


def equal_groups(inputs: Mapping[str, Array]) -> tuple[tuple[int, ...], ...]:
    """Groups of at least two samples whose inputs [N, …] are all equal to the last bit, by index."""
    names = sorted(inputs)
    groups: dict[bytes, list[int]] = defaultdict(list)
    for i in range(len(inputs[names[0]])):
        sha = hashlib.sha256()
        for name in names:
            sha.update(np.ascontiguousarray(inputs[name][i]).data)
        groups[sha.digest()].append(i)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def contradictions(groups: tuple[tuple[int, ...], ...], labels: Array) -> tuple[int, ...]:
    """Samples of groups with more than one label, by index; none without labels."""
    if not is_labelled(labels):
        return ()
    differing = (group for group in groups if len({labels[i].tobytes() for i in group}) > 1)
    return tuple(sorted(i for group in differing for i in group))
