"""Readings of the gates on poisoned calibration data and on backdoors, and the words on what was looked at."""

from __future__ import annotations

from edgekit.ir.plural import counted
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.poisoning.record import PoisoningScreen
from edgekit.parity.statistics.estimate import Estimate, exact

GATES = ("poisoned_share", "backdoor")
NAMED = 8
"""Samples that the words of a gate name, at most."""
NOT_SCREENED = (
    "the calibration data were not screened: the project states none, or two measurements were compared alone"
)


def poisoning_reading(name: str, screen: PoisoningScreen | None) -> Estimate | MissingValue:
    """Value of a gate of `GATES`, or the reason why there is none."""
    if screen is None:
        return MissingValue(NOT_SCREENED)
    if name == "poisoned_share":
        return exact(screen.poisoned_share)
    backdoor = screen.backdoor
    if backdoor.reason and not backdoor.suspected:
        return MissingValue(backdoor.reason)
    return exact(float(len(backdoor.suspected)))


def poisoning_words(name: str, screen: PoisoningScreen) -> str:
    """Words on the samples of a reading, and on those that it names: ` (2 of 300 calibration samples: 7, 31)`."""
    if name == "poisoned_share":
        return (
            f" ({len(screen.poisoned):,} of {counted(screen.samples, 'calibration sample')}{_named(screen.poisoned)})"
        )
    backdoor = screen.backdoor
    classes = f"{len(backdoor.classes):,} of {counted(backdoor.of_classes, 'class')}"
    looked = f"{classes} searched on {counted(screen.samples, 'sample')}"
    return f" ({looked}{''.join(f'; {words}' for words in patch_words(screen)) or ', no small patch flips answers'})"


def patch_words(screen: PoisoningScreen) -> tuple[str, ...]:
    """A clause on each patch that flips answers."""
    return tuple(
        f"a patch of {patch.height} × {patch.width} pixels at row {patch.row}, column {patch.column} flips "
        f"{patch.flips:,} of {patch.pasted:,} samples to class {patch.target}"
        for patch in screen.backdoor.patches
    )


def _named(samples: tuple[int, ...]) -> str:
    if not samples:
        return ""
    more = f" and {len(samples) - NAMED:,} more" if len(samples) > NAMED else ""
    return f": {', '.join(map(str, samples[:NAMED]))}{more}"
