"""Section on adversarial sensitivity: answers of both endpoints to samples that were changed against the answer."""

from __future__ import annotations

from edgekit.parity.adversarial import MEANING, AdversarialSensitivity, AttackRecord
from edgekit.parity.gate_texts import percent, points
from edgekit.report.sections.section import Row, Section, section

CONFIDENCE = 0.975
"""Confidence of each bound: 95 % of both."""
HEADER = ("changed by", "largest change", "samples", "reference right", "candidate right", "compression adds")


def adversarial(sensitivity: AdversarialSensitivity | None) -> Section | None:
    """Section on the attacks; None where no gate asked for them."""
    if sensitivity is None:
        return None
    notes = [MEANING]
    if sensitivity.reason:
        return section("Adversarial sensitivity", HEADER, (), notes, (f"Not measurable: {sensitivity.reason}.",))
    rows = [_row(one) for one in (sensitivity.clean, *sensitivity.attacks) if one]
    whole = ", in whole numbers" if sensitivity.whole_numbers else ""
    notes.append(
        f"Input '{sensitivity.input}' from {sensitivity.low:g} to {sensitivity.high:g}, as in the samples{whole}. "
        "FGSM: Goodfellow et al. 2015; PGD with a random start: Madry et al. 2018. What compression adds is the share "
        "that only the reference gets right minus the share that only the candidate does, with a 95 % interval."
    )
    return section("Adversarial sensitivity", HEADER, rows, notes)


def _row(one: AttackRecord) -> Row:
    added = one.added_at(CONFIDENCE)
    size = f"{one.epsilon:g} ({percent(one.epsilon_share)} of the range)" if one.epsilon else "0"
    return (
        one.attack,
        size,
        f"{one.samples:,}",
        percent(one.reference_right / one.samples),
        percent(one.candidate_right / one.samples),
        f"{points(one.added)} ({points(added.low)} to {points(added.high)})",
    )
