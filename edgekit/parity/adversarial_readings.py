"""Reading of the gate `adversarial_drop`: what compression adds to the loss under attack."""

from __future__ import annotations

from edgekit.ir.plural import counted
from edgekit.parity.adversarial import AdversarialSensitivity
from edgekit.parity.missing_value import MissingValue
from edgekit.parity.statistics.estimate import Estimate, exact

NOT_ATTACKED = "no sample was changed: that takes the project's network, which a comparison of measurements has not"


def adversarial_reading(
    sensitivity: AdversarialSensitivity | None, confidence: float | None
) -> Estimate | MissingValue:
    """Largest loss that compression adds under an attack, or the reason why there is none.

    Bounds hold for all attacks together (Bonferroni): each is taken at so much more confidence.
    """
    if sensitivity is None:
        return MissingValue(NOT_ATTACKED)
    worst = sensitivity.worst
    if worst is None:
        return MissingValue(sensitivity.reason or NOT_ATTACKED)
    if confidence is None:
        return exact(worst.added)
    each = 1 - (1 - confidence) / len(sensitivity.attacks)
    bounds = [one.added_at(each) for one in sensitivity.attacks]
    return Estimate(worst.added, max(one.low for one in bounds), max(one.high for one in bounds))


def adversarial_words(sensitivity: AdversarialSensitivity) -> str:
    """Words on the attack of the reading: its size, and the number of samples."""
    worst = sensitivity.worst
    if worst is None:
        return ""
    share = f"{100 * worst.epsilon_share:.3g} % of the range of '{sensitivity.input}'"
    return (
        f" under {worst.title} ({share}), the worst of {counted(len(sensitivity.attacks), 'attack')}, on "
        f"{counted(worst.samples, 'sample')}: {worst.reference_right:,} right by the reference, "
        f"{worst.candidate_right:,} by the model"
    )
