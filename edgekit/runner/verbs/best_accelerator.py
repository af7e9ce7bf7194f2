"""The best of the accelerators that were measured beside the CPU, and the reason against each of the others.

The best is the quickest, or, if the bundle asks for it and a sensor tells, the one that draws the least energy.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ..model.accelerator import CPU
from ..slots.accelerator_choice import ENERGY, LATENCY, millijoules
from .accelerator_trial import MAX_WHY

LEAST_SQNR_DB = 20.0
"""Least signal-to-noise ratio of an accelerator's answers against the CPU's, on the golden samples, in dB.

Float16 arithmetic leaves 40 dB and more, one int8 model on two sets of kernels 25 to 30; a wrong kernel leaves none.
"""


class AcceleratorLimits(NamedTuple):
    """Gates that an accelerator must pass to be chosen, None for one that is not stated, and what is preferred."""

    share: float | None = None
    """Least share of the model's operators that it runs itself."""
    slower: float | None = None
    """Largest ratio of its median time to the CPU's."""
    prefer: str = LATENCY
    """ENERGY to choose by the energy of an inference, where a sensor covers the whole machine; else the quickest."""


def best_accelerator(measured: list[dict[str, Any]], limits: AcceleratorLimits) -> tuple[str, str]:
    """Best kind that may be used, or the CPU, and the reason; `why` is set at each one that is not.

    measured: as `try_accelerators` returns it, the CPU first.
    """
    cpu, *others = measured
    by_energy = limits.prefer == ENERGY and _is_told_by_energy(measured)
    unknown = ""
    if limits.prefer == ENERGY and not by_energy:
        unknown = "; no sensor here tells what the whole machine draws"
        limits = limits._replace(slower=1.0) if limits.slower is None else limits
    for each in others:
        each["why"] = each["why"] or _refusal(each, cpu, limits)
    if by_energy:
        _refuse_what_draws_more(cpu, others)
    able = [each for each in others if each["why"] is None]
    if not able:
        tried = "; ".join(f"{each['kind']}: {each['why']}" for each in others)
        return CPU, f"{tried or 'nothing else was tried'}{unknown}"[:MAX_WHY]
    best = min(able, key=_joules if by_energy else _p50_ns)
    for each in able:
        each["why"] = None if each is best else f"it {'draws more' if by_energy else 'is slower'} than {best['kind']}"
    if by_energy:
        return best["kind"], f"{millijoules(best['energy'])} an inference, and {millijoules(cpu['energy'])} on the CPU"
    return best["kind"], f"{_ms(best)} ms, and {_ms(cpu)} ms on the CPU{unknown}"


def _is_told_by_energy(measured: list[dict[str, Any]]) -> bool:
    """Tell whether a sensor that covers the whole machine measured the CPU and each accelerator that ran."""
    ran = (each for each in measured if "failed" not in each and not each.get("software"))
    return all(each.get("energy") and each["energy"]["whole"] for each in ran)


def _refuse_what_draws_more(cpu: dict[str, Any], others: list[dict[str, Any]]) -> None:
    """Set `why` at accelerators that draw as much as the CPU or more."""
    for each in others:
        if each["why"] is None and _joules(each) >= _joules(cpu):
            drawn = f"{millijoules(each['energy'])} an inference, the CPU {millijoules(cpu['energy'])}"
            each["why"] = f"it draws {drawn}"


def _joules(figures: dict[str, Any]) -> float:
    return float(figures["energy"]["joules"])


def _p50_ns(figures: dict[str, Any]) -> float:
    return float(figures["p50_ns"])


def _refusal(figures: dict[str, Any], cpu: dict[str, Any], limits: AcceleratorLimits) -> str | None:
    """Reason why an accelerator that ran may not be used, or None."""
    noise_db, share = figures["sqnr_db"], figures["share"]
    if noise_db is not None and noise_db < LEAST_SQNR_DB:
        return f"it answers otherwise than the CPU: {noise_db:.1f} dB, {LEAST_SQNR_DB:g} dB are needed"
    if limits.share is not None and (share is None or share < limits.share):
        known = "does not say how many operators it runs" if share is None else f"runs {share:.1%} of the operators"
        return f"it {known}, {limits.share:.1%} are needed"
    if figures["software"]:
        return "a program of the CPU stands in for it, so that its time says nothing"
    if limits.slower is not None and figures["p50_ns"] > limits.slower * cpu["p50_ns"]:
        return f"it takes {_ms(figures)} ms, the CPU {_ms(cpu)} ms; {limits.slower:g} times that is allowed"
    return None


def _ms(figures: dict[str, Any]) -> str:
    return f"{figures['p50_ns'] / 1e6:.2f}"
