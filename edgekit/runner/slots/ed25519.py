"""Ed25519 verification as RFC 8032, section 5.1.7 states it, for a device that has Python and nothing else.

Strict where the RFC leaves room: S < L, points in their one encoding, no key of small order, and the equation without
the cofactor. Only public values pass through here, so its time need not be constant.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT_OF_MINUS_1 = pow(2, (P - 1) // 4, P)

# Extended homogeneous coordinates: x = X/Z, y = Y/Z, x·y = T/Z.
Point = tuple[int, int, int, int]
NEUTRAL: Point = (0, 1, 1, 0)


@lru_cache(maxsize=8)  # every step of a flash verifies again, and on a board that takes a tenth of a second
def verifies(public: bytes, signature: bytes, message: bytes) -> bool:
    """Verify that `signature` (64 bytes) is that of `message` by the key `public` (32 bytes)."""
    key = point(public)
    if key is None or has_small_order(key) or len(signature) != 64:
        return False
    s = int.from_bytes(signature[32:], "little")
    if s >= L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    x, y, z, t = key
    return _encoded(_combined(s, BASE, k, (P - x, y, z, P - t))) == signature[:32]


def is_key(encoded: bytes) -> bool:
    """Tell whether 32 bytes can be a public key: the one encoding of a point, and none of small order."""
    key = point(encoded)
    return key is not None and not has_small_order(key)


def point(encoded: bytes) -> Point | None:
    """Decode a point from 32 bytes (section 5.1.3); None if they encode none, or not as `_encoded` does."""
    if len(encoded) != 32:
        return None
    y = int.from_bytes(encoded, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= P:
        return None
    u, v = y * y - 1, D * y * y + 1
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if (v * x * x - u) % P:
        x = x * ROOT_OF_MINUS_1 % P
    if (v * x * x - u) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return x, y, 1, x * y % P


def has_small_order(a: Point) -> bool:
    """Tell whether eight times the point is the neutral one: such a key verifies what nobody signed."""
    for _ in range(3):
        a = _sum(a, a)
    return a[0] % P == 0 and (a[1] - a[2]) % P == 0


def _sum(a: Point, b: Point) -> Point:
    """Add two points, which may be equal (section 5.1.4)."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    x, z, t, y = f - e, h - g, h + g, f + e
    return x * z % P, t * y % P, z * t % P, x * y % P


def _combined(s: int, a: Point, k: int, b: Point) -> Point:
    """Compute s·a + k·b, the doublings shared (Straus 1964)."""
    both, total = _sum(a, b), NEUTRAL
    for bit in range(max(s.bit_length(), k.bit_length()) - 1, -1, -1):
        total = _sum(total, total)
        in_s, in_k = s >> bit & 1, k >> bit & 1
        if in_s or in_k:
            total = _sum(total, both if in_s and in_k else a if in_s else b)
    return total


def _encoded(a: Point) -> bytes:
    inverse = pow(a[2], P - 2, P)
    x, y = a[0] * inverse % P, a[1] * inverse % P
    return (y | (x & 1) << 255).to_bytes(32, "little")


def _base() -> Point:
    base = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))
    assert base is not None
    return base


BASE = _base()
