"""Advice on how many samples to measure, never more than there are."""

from __future__ import annotations


def more_samples(needed: int | None, measured: int, available: int | None) -> str:
    """Clause on what settles a quantity that `measured` samples leave undecided.

    needed: number of samples that would, or None if no number does. available: samples of the set, or None if unknown.
    """
    if needed is None:
        decision = "whether that is good enough is yours to decide, and to state under [gates]"
        return f"nor would more: it is too near the limit; {decision}"
    about = f"about {needed:,} would"
    if available is None:
        return about
    if needed <= available:
        return f"{about}: --samples {needed}"
    rest = f"and the set has {available:,}" if measured < available else "and these are all of the set"
    less = "a smaller confidence under [gates] takes fewer, and is wrong more often"
    return f"{about}, {rest}: add samples to [data] evaluation; {less}"


def measure_more(measured: int, available: int | None) -> str:
    """Clause on how to measure more than `measured` samples of an evaluation set that has `available`."""
    if available is None:
        return "measure more: --samples"
    if measured < available:
        return f"measure more: --samples {available}"
    all_of_it = "the only sample of the set was" if measured == 1 else f"all {measured:,} samples of the set were"
    return f"{all_of_it} measured: add samples to [data] evaluation"


def perturb_more(perturbed: int, measured: int, available: int | None) -> str:
    """Clause on how to perturb more than `perturbed` of the `measured` samples of a set that has `available`."""
    if perturbed < measured:
        return f"perturb more: --set profile.robustness.samples={measured}"
    return measure_more(measured, available)
