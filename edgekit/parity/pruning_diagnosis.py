"""Diagnose a pruned network: the layers that lost most."""

from __future__ import annotations

from collections.abc import Sequence

from edgekit.ir.layers import Change
from edgekit.ir.plural import counted, verb
from edgekit.parity.diagnose import Diagnosis
from edgekit.parity.layer_texts import decibels
from edgekit.parity.network_outcome import accuracy_lost
from edgekit.tasks.metric import SHARE


def pruning(changes: Sequence[Change], accuracy_drop: float, allowed: float = 0.01, unit: str = SHARE) -> Diagnosis:
    """Diagnose a pruned and recovered network that still has this `accuracy_drop`; `allowed` is its limit.

    unit: that of the metric.
    """
    lost = f"loses {accuracy_lost(accuracy_drop, unit)} against the original"
    if accuracy_drop <= allowed:
        return Diagnosis("nothing", f"Nothing is wrong: the pruned model {lost}.")
    thin = [change for change in changes if change.kept < change.channels]
    known = sorted((c for c in changes if c.sqnr_db is not None), key=lambda change: change.sqnr_db or 0)
    worst = min(thin, key=lambda change: change.kept / change.channels, default=None)
    if worst is None:
        return Diagnosis(
            "pruning",
            f"The pruned model {lost}, yet no layer lost channels.",
            next_step="--set profile.prune.ratio=0.1",
        )
    left = f"{worst.kept} of {counted(worst.channels, 'channel')} {verb(worst.kept, 'is', 'are')} left"
    sentence = f"The pruned model {lost}. '{worst.name}' was cut most: {left}."
    evidence = [f"'{change.name}': {change.kept} of {counted(change.channels, 'channel')}" for change in thin[:5]]
    evidence += [f"'{change.name}': output at {decibels(change.sqnr_db)} of the original's" for change in known[:3]]
    names = tuple(change.name for change in sorted(thin, key=lambda change: change.kept / change.channels))
    step = f"a longer recovery (--set profile.recover.epochs=N), then --set 'profile.prune.skip=[\"{worst.name}\"]'"
    return Diagnosis("pruning", sentence, names, (), tuple(evidence), step)
