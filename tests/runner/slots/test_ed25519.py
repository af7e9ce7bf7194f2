"""Signatures checked without a library: the RFC's vectors, and the same answers as a library gives."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given, settings
from hypothesis import strategies as st

from edgekit.runner.slots.ed25519 import L, P, has_small_order, point, verifies

# RFC 8032, section 7.1, tests 1 to 3: https://www.rfc-editor.org/rfc/rfc8032#section-7.1
VECTORS = [
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", ""),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", "72"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", "af82"),
]
PUBLIC = [
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
]
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


@pytest.mark.parametrize(
    ("secret", "message", "public"), [(*pair, key) for pair, key in zip(VECTORS, PUBLIC, strict=True)]
)
def test_the_vectors_of_the_rfc_verify(secret: str, message: str, public: str) -> None:
    key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(secret))
    signature = key.sign(bytes.fromhex(message))
    assert key.public_key().public_bytes_raw().hex() == public
    assert verifies(bytes.fromhex(public), signature, bytes.fromhex(message))
    assert not verifies(bytes.fromhex(public), signature, bytes.fromhex(message) + b"x")


@settings(max_examples=60, deadline=None)
@given(seed=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200), bit=st.integers(0, 511))
def test_a_library_says_the_same(seed: bytes, message: bytes, bit: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert verifies(public, signature, message)
    flipped = bytearray(signature)
    flipped[bit // 8] ^= 1 << bit % 8
    assert verifies(public, bytes(flipped), message) == _library(public, bytes(flipped), message) == False  # noqa: E712


def _library(public: bytes, signature: bytes, message: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def test_a_signature_has_one_writing() -> None:
    """S + L satisfies the equation as well as S does: RFC 8032 wants S < L."""
    public, signature = KEY.public_key().public_bytes_raw(), KEY.sign(b"text")
    s = int.from_bytes(signature[32:], "little")
    assert not verifies(public, signature[:32] + (s + L).to_bytes(32, "little"), b"text")


def test_a_key_of_small_order_signs_nothing() -> None:
    """With the neutral point as key and as R, S = 0 would satisfy the equation for every message."""
    neutral = (1).to_bytes(32, "little")
    decoded = point(neutral)
    assert decoded is not None
    assert has_small_order(decoded)
    assert not verifies(neutral, neutral + bytes(32), b"anything")


@pytest.mark.parametrize("encoded", [P + 1, P, 1 | 1 << 255, 2])
def test_points_have_one_writing(encoded: int) -> None:
    assert point(encoded.to_bytes(32, "little")) is None


@pytest.mark.parametrize("length", [0, 63, 65])
def test_a_signature_has_64_bytes(length: int) -> None:
    assert not verifies(KEY.public_key().public_bytes_raw(), bytes(length), b"text")


EIGHTH = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
LOW_Y = (EIGHTH, P - EIGHTH)
"""y of the four points of order eight."""
SMALL = [y.to_bytes(32, "little") for y in (1, 0, P - 1, 1 << 255, *LOW_Y, *(y | 1 << 255 for y in LOW_Y))]


@pytest.mark.parametrize("small", SMALL)
def test_no_point_of_small_order_is_a_key_whatever_it_signs(small: bytes) -> None:
    decoded = point(small)
    assert decoded is not None
    assert has_small_order(decoded)
    for r in SMALL:
        assert not verifies(small, r + bytes(32), b"text")


@pytest.mark.parametrize("r", [*SMALL, *(y.to_bytes(32, "little") for y in (P, P + 1, 1 | 1 << 255, 2**255 - 1))])
def test_another_r_is_refused_as_a_library_does(r: bytes) -> None:
    public, signature = KEY.public_key().public_bytes_raw(), KEY.sign(b"text")
    for s in (signature[32:], bytes(32), L.to_bytes(32, "little"), b"\xff" * 32):
        assert verifies(public, r + s, b"text") == _library(public, r + s, b"text") == False  # noqa: E712
