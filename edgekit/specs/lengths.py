"""Free lengths in `[inputs]`: `shape = [3, "h:128..640:32", "w:128..640:32"]`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import PlainSerializer, Strict, WrapValidator

from edgekit.ir.signature import FreeLength

MOST_BUCKETS = 8
"""Largest number of buckets that are chosen for one free length."""
FORM = re.compile(r"([A-Za-z_]\w*):(\d{1,9})\.\.(\d{1,9})(?::(\d{1,9}))?")
SYNTAX = 'a free length is "NAME:LEAST..MOST" or "NAME:LEAST..MOST:STEP", such as "t:1..128" or "h:128..640:32"'


class LengthSyntax(ValueError):
    """Free length that is no range, with a hint."""

    def __init__(self, message: str, hint: str = SYNTAX) -> None:
        super().__init__(message)
        self.hint = hint


class FreeSize(int):
    """Size of a free axis in a shape: as a number the greatest length, and the range beside it."""

    length: FreeLength

    def __new__(cls, length: FreeLength) -> FreeSize:
        size = super().__new__(cls, length.most)
        size.length = length
        return size

    def __repr__(self) -> str:
        return str(self.length)

    __str__ = __repr__

    def __reduce__(self) -> tuple[type[FreeSize], tuple[FreeLength]]:
        return FreeSize, (self.length,)


def admits(size: int, actual: int) -> bool:
    """True if an axis of the stated size may have `actual` elements."""
    return actual in size.length if isinstance(size, FreeSize) else actual == size


def parse_length(text: str) -> FreeSize:
    """Parse `NAME:LEAST..MOST:STEP`. Raises LengthSyntax."""
    match = FORM.fullmatch(text.replace(" ", ""))
    if match is None:
        raise LengthSyntax(f"'{text}' is no free length")
    name, least, most, step = match[1], int(match[2]), int(match[3]), int(match[4] or 1)
    if least < 1:
        raise LengthSyntax(
            f"free length '{text}' begins at {least}", hint=f'an axis has one element at least: "{name}:1..{most}"'
        )
    if least > most:
        raise LengthSyntax(
            f"free length '{text}' ends before it begins", hint=f'the lesser first: "{name}:{most}..{least}"'
        )
    if step < 1:
        raise LengthSyntax(
            f"free length '{text}' has a step of {step}", hint=f'leave the step out: "{name}:{least}..{most}"'
        )
    if (most - least) % step:
        reached = most - (most - least) % step
        raise LengthSyntax(
            f"free length '{text}': steps of {step} from {least} do not reach {most}",
            hint=f'"{name}:{least}..{reached}:{step}" ends on a step',
        )
    return FreeSize(FreeLength(name, least, most, step))


def _size(value: Any, handler: Callable[[Any], int]) -> int:
    if isinstance(value, FreeSize):
        return value
    return parse_length(value) if isinstance(value, str) else handler(value)


def _written(size: int) -> int | str:
    return str(size) if isinstance(size, FreeSize) else size


Size = Annotated[int, Strict(), WrapValidator(_size), PlainSerializer(_written, return_type=int | str)]
"""Size of an axis: a whole number, or a `FreeSize` written as a text."""


def positive_sizes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return a stated shape. Raises ValueError if a size is 0 or less."""
    if not all(size > 0 for size in shape):
        raise ValueError("every size in 'shape' must be above 0")
    return shape


def default_buckets(length: FreeLength) -> tuple[int, ...]:
    """Buckets of a free length: all its lengths if they are few, else powers of two and the greatest, eight at most."""
    if len(length.all) <= MOST_BUCKETS:
        return tuple(length.all)
    powers = [1 << exponent for exponent in range(length.least.bit_length() - 1, length.most.bit_length())]
    steps = sorted({min(-(-(power - length.least) // length.step), len(length.all) - 1) for power in powers})
    chosen = {length.all[max(0, step)] for step in steps}
    return tuple(sorted({*chosen, length.most}))[-MOST_BUCKETS:]


def checked_buckets(length: FreeLength, stated: tuple[int, ...]) -> tuple[int, ...]:
    """Return the stated buckets. Raises LengthSyntax unless they ascend within the range, to its end."""
    hint = f"buckets = [{', '.join(map(str, default_buckets(length)))}]"
    outside = [bucket for bucket in stated if bucket not in length]
    if outside:
        raise LengthSyntax(f"bucket {outside[0]} is no length of '{length}'", hint=hint)
    if list(stated) != sorted(set(stated)):
        raise LengthSyntax("the buckets do not ascend", hint=hint)
    if stated[-1] != length.most:
        raise LengthSyntax(f"the last bucket holds {stated[-1]}, and '{length}' goes to {length.most}", hint=hint)
    return stated


def free_lengths(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, FreeLength]:
    """Free lengths of several shapes, by name. Raises LengthSyntax if one name has two ranges."""
    lengths: dict[str, FreeLength] = {}
    for name, shape in shapes.items():
        for size in shape:
            if not isinstance(size, FreeSize):
                continue
            other = lengths.setdefault(size.length.name, size.length)
            if other != size.length:
                raise LengthSyntax(
                    f"input '{name}' states '{size.length}', another one '{other}'",
                    hint="one name is one length in every input: give both the same range, or two names",
                )
    return lengths
