"""Section on the screen of calibration data: planted samples, and backdoors of the network."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.ir.plural import counted
from edgekit.parity.gate_texts import percent
from edgekit.parity.poisoning.patch_sizes import OUTLIER
from edgekit.parity.poisoning.record import CANNOT, SHOWN, BackdoorScreen, PoisoningScreen
from edgekit.parity.poisoning_readings import patch_words
from edgekit.report.sections.section import Row, Section, section


def poisoning(screen: PoisoningScreen | None) -> Section | None:
    """Section on the screen; None where no gate asked for it."""
    if screen is None:
        return None
    named = f": {_list(screen.poisoned)}" if screen.poisoned else ""
    first = f"{len(screen.poisoned):,} of {counted(screen.samples, 'calibration sample')} may have been planted{named}."
    return section("Planted samples and backdoors", ("looked at", "result"), _rows(screen), CANNOT.values(), (first,))


def _rows(screen: PoisoningScreen) -> Iterable[Row]:
    if screen.tensors:
        yield (
            "ranges",
            f"{counted(len(screen.outliers), 'sample')} {'widens' if len(screen.outliers) == 1 else 'widen'} one of "
            f"{counted(screen.tensors, 'activation')} twofold or more",
        )
    else:
        yield ("ranges", "not looked into: the samples are sequences")
    for one in screen.outliers[:SHOWN]:
        alone = "it alone causes" if one.together == 1 else f"it and {one.together - 1} more cause"
        wide = f"{alone} {percent(one.share)} of the range of {one.tensor}; {one.tensors:,} activations are so"
        yield (f"sample {one.sample:,}", wide)
    copies = (
        f"{counted(screen.duplicated, 'sample')} {'is' if screen.duplicated == 1 else 'are'} equal to an earlier one"
    )
    yield ("equality", f"{copies}; {len(screen.contradictions):,} are equal and labelled otherwise")
    yield from (("equal samples", _list(group)) for group in screen.duplicates[:SHOWN])
    if screen.labelled:
        shown = f": {_list(screen.disagreeing, screen.disagreements)}" if screen.disagreements else ""
        disagreeing = f"{screen.disagreements:,} of {screen.labelled:,} are answered otherwise by the reference"
        yield ("labels", f"{disagreeing}{shown}")
    yield from _patches(screen)


def _patches(screen: PoisoningScreen) -> Iterable[Row]:
    backdoor = screen.backdoor
    carried = sum(1 for patch in backdoor.patches if patch.samples)
    if backdoor.reason and not backdoor.of_classes:
        yield ("patches", f"not looked for: {backdoor.reason}")
        return
    yield ("patches in the data", f"{carried:,} flip other samples to the class that carries them")
    for words, patch in zip(patch_words(screen), backdoor.patches, strict=True):
        where = f"carried by samples {_list(patch.samples)}" if patch.samples else "found by search"
        yield (f"class {patch.target}", f"{words}; {where}")
    if backdoor.reason:
        yield ("patches by search", f"not judged: {backdoor.reason}")
    yield from _sizes(backdoor)


def _sizes(backdoor: BackdoorScreen) -> Iterable[Row]:
    """Row of the sizes of all patches that were searched: the smallest, its deviation, and the median."""
    if not backdoor.sizes:
        return
    place = min(range(len(backdoor.sizes)), key=backdoor.sizes.__getitem__)
    median = sorted(backdoor.sizes)[len(backdoor.sizes) // 2]
    yield (
        "patches by search",
        f"{len(backdoor.classes):,} of {counted(backdoor.of_classes, 'class')}, on "
        f"{counted(backdoor.fitted, 'sample')}: class {backdoor.classes[place]} needs the fewest pixels, "
        f"{backdoor.sizes[place]:.1f} of {backdoor.area:.0f}, the median {median:.1f}; it is "
        f"{backdoor.anomalies[place]:.1f} deviations below, an outlier from {OUTLIER:g}",
    )


def _list(samples: tuple[int, ...], count: int | None = None) -> str:
    more = (count or len(samples)) - SHOWN
    return ", ".join(map(str, samples[:SHOWN])) + (f" and {more:,} more" if more > 0 else "")
