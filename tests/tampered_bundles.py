"""Bundles, as files by name, that somebody changed after they were signed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random

from edgekit.bundle.signing import SigningKey, write_signature

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
Files = dict[str, bytes]


def mutants(files: Files, stranger: SigningKey, choose: Random, edits: int) -> Iterator[Files]:
    """`edits` of each kind in each file, and some of a `stranger` who signs. None has the bytes of the original."""
    for name, raw in files.items():
        for _ in range(edits):
            for content in _edited(raw, choose):
                if content != raw:
                    yield {**files, name: content}
    for one in files:
        for other in files:
            if files[one] != files[other]:
                yield {**files, one: files[other]}
    yield {**files, "added": b""}
    yield {**files, SIGNATURE: write_signature(stranger, files[MANIFEST])}


def _edited(raw: bytes, choose: Random) -> Iterator[bytes]:
    """A bit flipped, a byte replaced, bytes put in, bytes left out, the end cut off."""
    place, count = choose.randrange(len(raw)), choose.randrange(1, 9)
    yield raw[:place] + bytes([raw[place] ^ 1 << choose.randrange(8)]) + raw[place + 1 :]
    yield raw[:place] + choose.randbytes(1) + raw[place + 1 :]
    yield raw[:place] + choose.randbytes(count) + raw[place:]
    yield raw[:place] + raw[place + count :]
    yield raw[:place]
