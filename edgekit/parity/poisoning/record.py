"""Findings of the screen for poisoned calibration data and backdoors, with what each part can and cannot find."""

from __future__ import annotations

from edgekit.ir.record import Record

SHOWN = 20
"""Samples that a list of findings names, at most."""
CANNOT = {
    "ranges": (
        "Ranges: finds samples whose values alone take a bit of every other sample's precision. It cannot tell a "
        "planted sample from a rare honest one, and finds none that stays within the ranges of the rest."
    ),
    "duplicates": (
        "Equality: finds inputs that are equal to the last bit, and such with two labels. It finds no copy that was "
        "changed at all."
    ),
    "labels": (
        "Labels: counts samples that the reference answers otherwise than they are labelled. It cannot tell whether "
        "the label or the reference is wrong; ranges do not depend on labels."
    ),
    "data": (
        "Patches in the data: finds a square that is equal to the last bit, at one place, in samples of one class, and "
        "that flips other samples to that class when it is put there. It finds no trigger that moves, blends or warps, "
        "and none in data that are not screened."
    ),
    "search": (
        "Patches by search: finds a fixed patch much smaller than what the other classes need. It finds no trigger "
        "that blends, warps or covers much of the picture, none for many classes at once, none that acts on some "
        "classes only; and a class that is easily answered by nature may look like one."
    ),
}
"""Sentence on each part of the screen, by its name."""


class RangeOutlier(Record):
    """A calibration sample that makes the range of an activation wide."""

    sample: int
    """Index of the sample in the calibration set."""
    tensor: str
    """Activation whose range it widens most."""
    share: float
    """Share of that range that is there for the sample alone, and those that go `together` with it, in [0, 1]."""
    together: int
    """Number of samples, this one included, without which the range is that much smaller."""
    tensors: int
    """Number of activations that it widens so."""


class Patch(Record):
    """A patch that flips answers to one class."""

    target: int
    """Class that it flips to."""
    row: int
    column: int
    height: int
    width: int
    """Rectangle, in pixels, that holds it."""
    pixels: float
    """Pixels that it covers; of a mask the sum of its shares."""
    flips: int
    """Number of samples of other classes that the reference answers by the class with the patch put in."""
    pasted: int
    """Number of samples of other classes that it was put into; none of them made it."""
    samples: tuple[int, ...] = ()
    """Indices of the calibration samples that carry it; empty for one that was searched by gradient."""

    @property
    def share(self) -> float:
        return self.flips / self.pasted if self.pasted else 0.0


class BackdoorScreen(Record):
    """Search for a backdoor in the float network."""

    reason: str | None = None
    """Reason why no patch could be searched by gradient; the patches in the data may have been looked for."""
    classes: tuple[int, ...] = ()
    """Classes that a patch was searched for."""
    of_classes: int = 0
    """Number of classes of the network."""
    sizes: tuple[float, ...] = ()
    """Pixels of the smallest patch for each of `classes`; those of the whole picture where none flips enough."""
    anomalies: tuple[float, ...] = ()
    """Deviation of each size below the median, in median absolute deviations (normal scale); above 2 is an outlier."""
    area: float = 0.0
    """Pixels of the picture."""
    fitted: int = 0
    """Number of samples that the patches were optimised on."""
    patches: tuple[Patch, ...] = ()
    """Patches that were found: those in the data, and by search those of suspected classes."""
    suspected: tuple[int, ...] = ()
    """Classes that a small patch flips other samples to."""


class PoisoningScreen(Record):
    """Screen of the calibration data, and of the network on them."""

    samples: int
    """Number of calibration samples."""
    tensors: int
    """Number of activations whose ranges were looked into."""
    outliers: tuple[RangeOutlier, ...] = ()
    duplicates: tuple[tuple[int, ...], ...] = ()
    """Groups of samples with equal inputs, by index; the first `SHOWN`."""
    duplicated: int = 0
    """Number of samples that are equal to an earlier one."""
    contradictions: tuple[int, ...] = ()
    """Samples with equal inputs and different labels."""
    labelled: int = 0
    """Number of samples with a label that the reference's answer can be compared with."""
    disagreements: int = 0
    """Number of these that the reference answers otherwise."""
    disagreeing: tuple[int, ...] = ()
    """The first of them."""
    backdoor: BackdoorScreen = BackdoorScreen()
    poisoned: tuple[int, ...] = ()
    """Samples that ranges, contradictions or a patch that flips point at."""

    @property
    def poisoned_share(self) -> float:
        return len(self.poisoned) / self.samples
