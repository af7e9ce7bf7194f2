"""Documents and bytes, changed as somebody would who wants to break their reader."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any

import numpy as np

from edgekit.ir.measurement import Array

Path = tuple[str | int, ...]
TEXTS = (
    "",
    "\0",
    "../../escape",
    "/etc/passwd",
    "..",
    "a/../../b",
    "C:\\x",
    "\x1b[2J\x1b]0;title\x07",
    "\u202egnp.exe",
    "\x9b31m",
    "<img src=x onerror=alert(1)>",
    "[bold]x[/]",
    "A" * 100_000,
    "NaN",
    "1e999",
    "float32",
    "object",
    "\u0660",
)
NUMBERS = (0, -1, 1, 2**31, 2**63, 2**64, -(2**63), 10**400, 0.0, -0.5, 1e308, 1e-320)
RAW = ("NaN", "Infinity", "-Infinity", "1e999", "9" * 5000, '"\\ud800"', "[" * 2000 + "]" * 2000, '{"a":' * 500)
MARK = "\ue000raw\ue000"
"""Stands in a document where text is put that no JSON writer would write."""


def changed(document: Any, random: Random) -> bytes:
    """The document as JSON with one to three changes, or bytes that were JSON once."""
    edited = copy.deepcopy(document)
    for _ in range(random.randint(1, 3)):
        edited = _edited(edited, random)
    text = json.dumps(edited, ensure_ascii=random.random() < 0.8)
    # Once: a list may have it twenty thousand times.
    text = text.replace(f'"{MARK}"', random.choice(RAW), 1).replace(f'"{MARK}"', "NaN")
    raw = text.encode("utf-8", "surrogatepass")
    return bytes_changed(raw, random) if random.random() < 0.2 else raw


def bytes_changed(raw: bytes, random: Random) -> bytes:
    """The bytes cut, doubled, flipped, or others in their place."""
    at, until = sorted(random.randrange(len(raw) + 1) for _ in range(2))
    match random.randrange(9):
        case 0:
            return raw[:at]
        case 1:
            return raw[:at] + raw[until:]
        case 2:
            return raw[:until] + raw[at:]
        case 3 if raw:
            flipped = bytearray(raw)
            for _ in range(random.randint(1, 8)):
                flipped[random.randrange(len(raw))] ^= 1 << random.randrange(8)
            return bytes(flipped)
        case 4:
            return raw[:at] + random.randbytes(random.randrange(64)) + raw[at:]
        case 5:
            return b""
        case 6:
            return random.choice((b"[", b'{"a":', b"(", b"\n", b"-")) * random.choice((100, 10_000, 300_000))
        case 7:
            return random.randbytes(random.randrange(1, 5000))
        case _:
            return raw[:at] + b"\0" * random.choice((1, 1000)) + raw[until:]


def arrays_changed(arrays: Mapping[str, Array], random: Random) -> bytes:
    """An honest `.npz` archive of arrays of which one or two are other than they should be."""
    edited = dict(arrays)
    for _ in range(random.randint(1, 2)):
        name = random.choice(list(edited) or ["scores"])
        array = np.atleast_1d(edited.pop(name, np.zeros(3)))
        match random.randrange(8):
            case 0:
                continue
            case 1:
                edited[random.choice(("scores", "labels", "é", "a/b", "x" * 200))] = array
            case 2:
                edited[name] = array.ravel()[:1].reshape(())
            case 3:
                edited[name] = array[..., None] if random.random() < 0.5 else array[:1]
            case 4:
                edited[name] = array[:0]
            case 5:
                edited[name] = np.full(array.shape, random.choice((np.nan, np.inf, -1.0, 2.5, 1e300)))
            case _:
                edited[name] = array.real.astype(random.choice(("bool", "f8", "c16", ">f4", "i8", "u1", "S4", "U2")))
    file = io.BytesIO()
    save: Callable[..., None] = np.savez if random.random() < 0.5 else np.savez_compressed
    save(file, **edited)
    return file.getvalue()


def _edited(document: Any, random: Random) -> Any:
    """The document with another value, name or length at a place in it."""
    places = list(_places(document, ()))
    if not places:
        return _value(random)
    place = random.choice(places)
    holder = document
    for step in place[:-1]:
        holder = holder[step]
    match random.randrange(6):
        case 0:
            del holder[place[-1]]
        case 1 if isinstance(holder, dict):
            holder[str(random.choice(TEXTS))] = holder.pop(place[-1])
        case 2 if isinstance(holder, list):
            member = holder[int(place[-1])]
            many = (1, 40) if isinstance(member, dict | list) else (1, 40, 20_000)
            holder += [member] * random.choice(many)
        case 3:
            holder[place[-1]] = [holder[place[-1]]]
        case _:
            holder[place[-1]] = _value(random)
    return document


def _places(document: Any, path: Path) -> list[Path]:
    if not isinstance(document, dict | list):
        return []
    members = document.items() if isinstance(document, dict) else enumerate(document)
    places: list[Path] = []
    for name, value in list(members)[:50]:
        places += [(*path, name), *_places(value, (*path, name))]
    return places


def _value(random: Random) -> Any:
    simple: tuple[Any, ...] = (None, True, [], {}, [[]], {"a": 1}, MARK, [None] * 3)
    return random.choice((random.choice(TEXTS), random.choice(NUMBERS), random.choice(simple)))
