"""Faults of what was written or typed, collected so that all of them are told at once."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from edgekit.errors.usage import UsageError

ALSO = "also "
"""Beginning of the note of a fault beside the first."""
MOST = 20
"""Faults that are told; a file with more is mended first."""


def with_others(faults: Sequence[UsageError]) -> UsageError:
    """Return the first fault, with the others as its notes, each with its code and its hint."""
    first = faults[0]
    for fault in faults[1:MOST]:
        hint = f" (hint: {fault.hint})" if fault.hint else ""
        first.add_note(f"{ALSO}{fault.code}: {fault}{hint}")
        for note in getattr(fault, "__notes__", ()):
            first.add_note(note)
    if len(faults) > MOST:
        first.add_note(f"{ALSO}{len(faults) - MOST:,} more")
    return first


class Faults:
    """Collection of faults: each check is tried, whether or not those before it failed."""

    def __init__(self) -> None:
        self.raised: list[UsageError] = []

    @contextlib.contextmanager
    def collect(self) -> Iterator[None]:
        """Keep a UsageError of the body; what it would have made stays unset."""
        try:
            yield
        except UsageError as error:
            self.raised.append(error)

    def check(self) -> None:
        """Raise the first fault, with the others as its notes, if there is any."""
        if self.raised:
            raise with_others(self.raised)
