"""Thousands of bundles that somebody changed behind a whole zip, so that only signature and digests can object."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.bundle.archive import Bundle
from edgekit.bundle.signing import SigningKey, write_signature
from edgekit.errors import BundleError
from edgekit.runner.layout import MANIFEST, SIGNATURE
from tests.bundle.conftest import Forge, Refused

pytestmark = pytest.mark.fuzzes

Contents = Mapping[str, bytes]
EDITS = 80
"""Of each kind, in each of manifest and signature."""
ZIP_EDITS = 500


def changed(contents: Contents, name: str, content: bytes) -> Contents:
    return {**contents, name: content}


def by_byte(contents: Contents, choose: random.Random) -> Iterator[Contents]:
    """Every byte of the manifest and of the signature, in turn: one bit of it, all of it, or any other value."""
    for name in (MANIFEST, SIGNATURE):
        raw = contents[name]
        for place, byte in enumerate(raw):
            values = (byte ^ 1 << choose.randrange(8), byte ^ 0xFF, (byte + choose.randrange(1, 256)) % 256)
            yield changed(contents, name, raw[:place] + bytes([values[place % 3]]) + raw[place + 1 :])


def by_length(contents: Contents, choose: random.Random) -> Iterator[Contents]:
    """Cut short, with bytes put in, with bytes left out, twice over."""
    for name in (MANIFEST, SIGNATURE):
        raw = contents[name]
        for _ in range(EDITS):
            place, count = choose.randrange(len(raw)), choose.randrange(1, 9)
            yield changed(contents, name, raw[:place])
            yield changed(contents, name, raw[:place] + choose.randbytes(count) + raw[place:])
            yield changed(contents, name, raw[:place] + raw[place + count :])
        yield changed(contents, name, raw * 2)


def by_file(contents: Contents, choose: random.Random) -> Iterator[Contents]:
    """Files changed, exchanged, left out or added, under the old manifest."""
    payload = sorted(set(contents) - {MANIFEST, SIGNATURE})
    for name in payload:
        raw = contents[name]
        for place in range(len(raw)):
            yield changed(
                contents, name, raw[:place] + bytes([raw[place] ^ 1 << choose.randrange(8)]) + raw[place + 1 :]
            )
        yield {path: content for path, content in contents.items() if path != name}
    for one in contents:
        for other in contents:
            if contents[one] != contents[other]:
                yield changed(contents, one, contents[other])
                yield {**contents, one: contents[other], other: contents[one]}
    yield dict(sorted({**contents, "model.ptf": b"added"}.items()))


def by_stranger(contents: Contents, stranger: SigningKey, key: SigningKey) -> Iterator[Contents]:
    """Signed again by somebody else, under that one's name and under the trusted one's."""
    for manifest in (contents[MANIFEST], contents[MANIFEST].replace(b'"version":', b'"version":1')):
        own = write_signature(stranger, manifest)
        for signature in (own, own.replace(stranger.id.encode(), key.id.encode())):
            yield {**contents, MANIFEST: manifest, SIGNATURE: signature}


def by_zip(whole: bytes, choose: random.Random) -> Iterator[bytes]:
    """The zip itself: any bytes anywhere in it, an entry that is there twice, something before or behind."""
    for _ in range(ZIP_EDITS):
        place, count = choose.randrange(len(whole)), choose.randrange(1, 33)
        yield whole[:place] + choose.randbytes(count) + whole[place + count :]
    yield whole + whole
    yield whole + b"\0"
    yield b"\0" + whole


def test_of_thousands_of_forged_bundles_none_is_opened(
    packed: Path, refused: Refused, forge: Forge, contents: dict[str, bytes], key: SigningKey, other_key: SigningKey
) -> None:
    choose, whole, count = random.Random(6), packed.read_bytes(), 0
    # An entry more, by the name of another one: the zip has it twice.
    for name in (MANIFEST, SIGNATURE, "model.pte"):
        twin = name[:-1] + chr(ord(name[-1]) + 1)
        added = forge(dict(sorted({**contents, twin: b"other"}.items())))
        refused(added.replace(twin.encode(), name.encode()))
        count += 1
    mutants = (
        *by_byte(contents, choose),
        *by_length(contents, choose),
        *by_file(contents, choose),
        *by_stranger(contents, other_key, key),
    )
    for made in (*map(forge, mutants), *by_zip(whole, choose)):
        if made != whole:
            refused(made)
            count += 1
    assert count >= 3_000


@settings(max_examples=200)
@given(
    name=st.sampled_from([MANIFEST, SIGNATURE, "model.pte"]),
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9), st.binary(max_size=9)), min_size=1, max_size=5),
)
def test_whatever_is_edited_only_the_same_bytes_are_believed(
    packed: Path,
    forge: Forge,
    contents: dict[str, bytes],
    key: SigningKey,
    name: str,
    edits: list[tuple[float, int, bytes]],
) -> None:
    raw = contents[name]
    for place, left_out, put_in in edits:
        position = round(place * len(raw))
        raw = raw[:position] + put_in + raw[position + left_out :]
    path = packed.with_name("edited.edgekit")
    path.write_bytes(forge({**contents, name: raw}))
    if raw == contents[name]:
        assert Bundle.open(path, [key.public]).read(name) == raw
    else:
        with pytest.raises(BundleError):
            Bundle.open(path, [key.public])
