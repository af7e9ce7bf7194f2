"""Section on the cost of answers."""

from __future__ import annotations

from edgekit.parity.assumptions import Assumption
from edgekit.parity.cost import CostSummary
from edgekit.report.record import ReportRecord
from edgekit.report.sections.section import Row, Section, section

_EDITED = (
    "Every number that is not measured can be stated in the profile under [cost], or by --set profile.cost.NAME=VALUE "
    "with the name in the second column."
)


def costs(report: ReportRecord) -> Section | None:
    """Costs of the answers and their assumptions; None where the report has no cost."""
    cost = report.cost
    if cost is None:
        return None
    rows = [*_money(cost), *map(_assumed, cost.assumptions)]
    return section("What it costs", ("", "name", "value", "from"), rows, [_EDITED], cost.sentences)


def _money(cost: CostSummary) -> list[Row]:
    amounts = (
        ("a million answers, edge", cost.edge_per_million),
        ("of it the device", cost.device_per_million),
        ("of it electricity", cost.energy_per_million),
        ("a million answers, cloud", cost.cloud_per_million),
        ("the build, once", cost.build),
    )
    answers = (("break-even, answers", cost.break_even), ("answers in a device's life", cost.capacity))
    return [
        *((label, "", _amount(cost, amount), "reckoned") for label, amount in amounts),
        *((label, "", "none" if count is None else f"{count:,}", "reckoned") for label, count in answers),
    ]


def _amount(cost: CostSummary, amount: float | None) -> str:
    return (
        "not measurable"
        if amount is None
        else f"{cost.currency} {amount:,.4g}"
        if amount < 1
        else f"{cost.currency} {amount:,.2f}"
    )


def _assumed(assumption: Assumption) -> Row:
    where = f"{assumption.basis}: {assumption.source}" if assumption.source else assumption.basis
    return (assumption.title, assumption.name, assumption.shown, where)
