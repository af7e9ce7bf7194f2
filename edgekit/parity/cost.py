"""Cost of answers on the edge and in the cloud, and the break-even of the device."""

from __future__ import annotations

import math
from dataclasses import dataclass

from edgekit.ir.plural import counted
from edgekit.ir.record import Record
from edgekit.parity.assumptions import Assumption, Inputs, gather
from edgekit.parity.comparison import Comparison
from edgekit.parity.gate_texts import decimal
from edgekit.specs.cost import Cost

MILLION = 1_000_000
_YEAR_S = 365.25 * 24 * 3600
_JOULES_PER_KWH = 3.6e6


class CostSummary(Record):
    """Money per million answers, and when a device has paid for itself. What cannot be told is null (docs/cost.md)."""

    currency: str
    edge_per_million: float | None
    """The device and its electricity."""
    device_per_million: float | None
    """The price of the device, spread over all answers it gives before it is written off."""
    energy_per_million: float | None
    cloud_per_million: float | None
    build: float
    """Pruning and training it again, once for all devices."""
    upfront: float | None
    """One device and the build."""
    capacity: int | None
    """Answers that one device gives before it is written off."""
    break_even: int | None
    """The fewest answers for which one device, with the whole build, costs no more than the cloud; null if never."""
    sentences: tuple[str, ...]
    """The edge, the cloud, the build and the break-even in plain words, or what to type to know them."""
    assumptions: tuple[Assumption, ...]
    """Every number that the cost is computed from: measured, stated in the profile, or a default and its source."""


def cost(comparison: Comparison, stated: Cost, target: str, build_s: float) -> CostSummary:
    """Cost of the candidate on the edge and of the reference in the cloud.

    target: id of the board, for its default price. build_s: seconds of pruning and recovery. Energy and the device's
    life are those at the stated utilisation: a device that answers a tenth of its time draws power all of it. Only a
    valid time of the target makes a price.
    """
    inputs = gather(comparison, stated, target, build_s)
    build = build_s / 3600 * stated.training_price_per_hour
    cloud = _cloud(inputs, stated)
    device, energy, upfront, capacity = _edge(inputs, stated, build)
    even, verdict = _break_even(upfront, energy, cloud, capacity, inputs, stated)
    money = _Money(stated.currency)
    return CostSummary(
        currency=stated.currency,
        edge_per_million=None if device is None or energy is None else device + energy,
        device_per_million=device,
        energy_per_million=energy,
        cloud_per_million=cloud,
        build=build,
        upfront=upfront,
        capacity=capacity,
        break_even=even,
        sentences=(
            _edge_sentence(device, energy, inputs, money),
            _cloud_sentence(cloud, inputs, money),
            *_build_sentence(build, build_s, money),
            *verdict,
        ),
        assumptions=inputs.assumptions,
    )


@dataclass(frozen=True)
class _Money:
    currency: str

    def __call__(self, amount: float) -> str:
        """`USD 1,234.50`, and three digits of what is less than one."""
        return f"{self.currency} {amount:,.2f}" if amount >= 1 else f"{self.currency} {float(f'{amount:.3g}')}"


def _edge(inputs: Inputs, stated: Cost, build: float) -> tuple[float | None, float | None, float | None, int | None]:
    """Money per million answers of the device and of its energy; money of one device with the build; its answers."""
    if inputs.answer_s is None or inputs.price is None or inputs.watts is None:
        return None, None, None, None
    each_s = inputs.answer_s / stated.utilisation
    capacity = int(stated.years * _YEAR_S / each_s)
    kwh = inputs.watts * each_s / _JOULES_PER_KWH
    device = inputs.price * each_s / (stated.years * _YEAR_S)
    return MILLION * device, MILLION * kwh * stated.electricity_per_kwh, inputs.price + build, capacity


def _cloud(inputs: Inputs, stated: Cost) -> float | None:
    if inputs.throughput_per_s is None:
        return None
    return MILLION * stated.instance_price_per_hour / 3600 / (inputs.throughput_per_s * stated.instance_utilisation)


def _break_even(
    upfront: float | None,
    energy: float | None,
    cloud: float | None,
    capacity: int | None,
    inputs: Inputs,
    stated: Cost,
) -> tuple[int | None, tuple[str, ...]]:
    """Break-even in answers, with a sentence; None and no sentence where one of the sides is unknown."""
    if upfront is None or energy is None or cloud is None or capacity is None or inputs.answer_s is None:
        return None, ()
    life = f"in its {decimal(stated.years, 1)} years, answering {decimal(100 * stated.utilisation, 1)} % of the time"
    if energy >= cloud:
        return None, ("The device never pays for itself: its electricity alone costs as much as the cloud.",)
    answers = math.ceil(upfront / ((cloud - energy) / MILLION))
    if answers > capacity:
        given = f"it gives {counted(capacity, 'answer')}, {answers:,} would be needed"
        return None, (f"One device does not pay for itself {life}: {given}.",)
    days = decimal(answers * inputs.answer_s / stated.utilisation / 86400, 1)
    return answers, (
        f"One device has paid for itself, and for the build, after {counted(answers, 'answer')}: {days} days.",
    )


def _edge_sentence(device: float | None, energy: float | None, inputs: Inputs, money: _Money) -> str:
    if device is None or energy is None:
        return f"What answers cost on the device is not measurable: {'; '.join(inputs.unknown_edge)}."
    parts = f"{money(device)} of the device and {money(energy)} of electricity"
    return f"A million answers on the device cost {money(device + energy)}: {parts}."


def _cloud_sentence(cloud: float | None, inputs: Inputs, money: _Money) -> str:
    if cloud is None:
        return f"What answers cost in the cloud is not measurable: {inputs.unknown_cloud}."
    return f"A million answers in the cloud cost {money(cloud)}."


def _build_sentence(build: float, build_s: float, money: _Money) -> tuple[str, ...]:
    if not build_s:
        return ()
    return (f"Pruning and training it again took {decimal(build_s / 60, 1)} minutes: {money(build)}, once.",)
