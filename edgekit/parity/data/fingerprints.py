"""Fingerprints of a data set: digest, hashes and descriptors of each sample, by which it is compared with another."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.parity.data.descriptors import (
    number_descriptor,
    picture_descriptor,
    recording_descriptor,
    token_descriptor,
)
from edgekit.parity.data.sample_kind import Kind, kind_of
from edgekit.parity.data.thumbnails import details, difference_hash, perceptual_hash, thumbnails, zoomed


@dataclass(frozen=True)
class View:
    """Samples as they are, or of pictures: an eighth larger, or mirrored."""

    values: Array
    """Values that are compared finely: details [N, 32, 32] of pictures, else the largest input as it is, [N, …]."""
    descriptors: Array
    """float32 [N, D]: vectors of length 1, whose cosine finds pairs worth a finer look."""

    def take(self, index: Array) -> View:
        return View(self.values[index], self.descriptors[index])


@dataclass(frozen=True)
class Fingerprints:
    """Facts by which samples of a set are compared. Samples of several inputs resemble each other by the largest."""

    kind: Kind
    digests: tuple[bytes, ...]
    """SHA-256 of each sample over all its inputs, without its label."""
    views: tuple[View, ...]
    """The samples as they are; of pictures also larger, and mirrored."""
    hashes: tuple[Array, ...] = ()
    """DHash and pHash, uint64 [N] each, of pictures."""

    def __len__(self) -> int:
        return len(self.digests)

    @classmethod
    def of(cls, inputs: Mapping[str, Array]) -> Fingerprints:
        """Fingerprints of samples: arrays [N, …] by input name, at least one."""
        largest, digests = inputs[largest_input(inputs)], sample_digests(inputs)
        kind = kind_of(largest)
        if kind == "pictures":
            plain = thumbnails(largest)
            shown = (plain, zoomed(plain), plain[:, :, ::-1])
            views = tuple(View(details(each), picture_descriptor(each)) for each in shown)
            return cls(kind, digests, views, (difference_hash(plain), perceptual_hash(plain)))
        if kind == "recordings":
            flat = largest.reshape(len(largest), -1)
            return cls(kind, digests, (View(flat, recording_descriptor(flat)),))
        describe = token_descriptor if kind == "tokens" else number_descriptor
        return cls(kind, digests, (View(largest, describe(largest)),))

    def take(self, index: Array) -> Fingerprints:
        """The fingerprints of the samples at `index`, int [K]."""
        return Fingerprints(
            self.kind,
            tuple(self.digests[i] for i in index.tolist()),
            tuple(view.take(index) for view in self.views),
            tuple(each[index] for each in self.hashes),
        )


def largest_input(inputs: Mapping[str, Array]) -> str:
    """Name of the input with the most values a sample; of equals the first by name."""
    return max(sorted(inputs), key=lambda name: int(np.prod(inputs[name].shape[1:])))


def sample_digests(inputs: Mapping[str, Array]) -> tuple[bytes, ...]:
    """SHA-256 of each of N samples over the values of all its inputs [N, …], in the order of their names."""
    columns = [inputs[name] for name in sorted(inputs)]
    head = repr([(name, inputs[name].dtype.str, inputs[name].shape[1:]) for name in sorted(inputs)]).encode()
    digests = []
    for i in range(len(columns[0])):
        sha = hashlib.sha256(head)
        for column in columns:
            sha.update(column[i].tobytes())
        digests.append(sha.digest())
    return tuple(digests)
