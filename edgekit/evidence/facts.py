"""Facts that answer a requirement of a framework: words, and the file and key that they stand in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgekit.evidence import artifact_facts, measured_facts
from edgekit.evidence.dossier import Dossier
from edgekit.evidence.fact import HISTORY, Fact
from edgekit.evidence.fact import MANIFEST as MANIFEST_FILE
from edgekit.evidence.fact import REPORT as REPORT_FILE

ABSENT: Mapping[str, str] = {
    "fairness": "no groups were compared: `slices` of the evaluation set",
    "slices": "no slices were compared: the evaluation set has no labels, or its samples were not at hand",
    "robustness": "no perturbed samples were measured: --robustness all",
    "outside": "no samples from outside were measured: [data] outside",
    "adversarial": "no attacks were measured: a gate `adversarial_drop`",
    "poisoning": "the calibration data were not screened: a gate `poisoned_share`",
    "calibration": "the answers are no probabilities, or have no labels",
    "latency": "no valid latency of the target: edgekit run on the target",
    "energy": "no sensor measured energy: edgekit run on a device that has one",
    "cost": "no cost was computed: [cost] of the profile",
    "overlaps": "no other set was compared with the evaluation set",
    "policy": "the project states no [policy]",
    "incidents": "no history of a device was given: --history FILE",
    "operation": "no history of a device was given: --history FILE",
    "labels": "no labels were checked: they are no classes, or there are none",
    "floor": "devices may go back to every older version: `floor` in edgekit.toml",
    "preprocessing": "the artifact takes samples as they are stored: nothing is done before it",
    "expiry": "the bundle may be installed for ever: `expires` in edgekit.toml",
    "data": "the bundle has no data card: an older edgekit packed it",
}
"""Words on each fact that may be missing: why it is, and what would bring it."""


@dataclass(frozen=True)
class Facts:
    """Facts of a dossier by name."""

    by_name: Mapping[str, Fact]

    @classmethod
    def of(cls, dossier: Dossier) -> Facts:
        """Read every fact that the dossier has."""
        named = (
            *artifact_facts.facts(dossier.bundle, dossier.card),
            *measured_facts.facts(dossier.report),
            *_device_facts(dossier),
        )
        return cls({fact.name: fact for fact in named})

    def absent(self, name: str) -> str:
        """Words on a fact that is missing."""
        return ABSENT.get(name, "not recorded")


def _device_facts(dossier: Dossier) -> Iterator[Fact]:
    verdicts: dict[str, int] = {}
    for history in dossier.histories:
        for event in history.events:
            verdicts[event.verdict] = verdicts.get(event.verdict, 0) + 1
    if dossier.histories:
        devices = len(dossier.histories)
        told = ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())) or "none of this bundle"
        incidents = sum(len(history.incidents) for history in dossier.histories)
        histories = f"{devices} {'history' if devices == 1 else 'histories'} of devices"
        yield Fact("operation", f"{histories}: {told}", HISTORY, "histories")
        words = f"{incidents} {'incident' if incidents == 1 else 'incidents'} of this bundle in {histories}"
        yield Fact("incidents", words, HISTORY, "histories")
    rollback = (
        "a device reproduces golden vectors before it serves it, tries it for a limited time, and goes back by itself"
    )
    yield Fact("rollback", rollback, MANIFEST_FILE, "golden")
    yield Fact("verdict", f"{dossier.report.verdict}: {dossier.report.sentence}", REPORT_FILE, "sentence")
