"""Outline of a report for people, in order, before it is text, Markdown or HTML."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.parity.gates import Verdict
from edgekit.report.record import ReportRecord
from edgekit.report.sections.adversarial import adversarial
from edgekit.report.sections.artifact import facts, placement, size
from edgekit.report.sections.calibration import calibration
from edgekit.report.sections.confusion import confusion_section
from edgekit.report.sections.costs import costs
from edgekit.report.sections.endpoints import endpoints
from edgekit.report.sections.gates import gates
from edgekit.report.sections.generation import generation
from edgekit.report.sections.governance import governance
from edgekit.report.sections.invalid import hangs_on_time, invalid
from edgekit.report.sections.latencies import latencies
from edgekit.report.sections.layers import layers
from edgekit.report.sections.next_steps import NextStep, headline, next_steps
from edgekit.report.sections.outside import outside
from edgekit.report.sections.over_time import over_time
from edgekit.report.sections.pairs import pairs
from edgekit.report.sections.poisoning import poisoning
from edgekit.report.sections.robustness import robustness
from edgekit.report.sections.section import Section, section, shown
from edgekit.report.sections.slices import slices
from edgekit.report.sections.timing import timing
from edgekit.report.sections.tokens import tokens
from edgekit.report.sentence import EVERY_PASSED
from edgekit.report.supplement import PLAIN, Supplement

NOT_THE_TARGET = "HOST, NOT THE TARGET: this machine ran the candidate, so no time or memory below is the target's."


@dataclass(frozen=True)
class Outline:
    """Outline: the verdict first, then the reasons."""

    verdict: Verdict
    subject: str
    headline: str
    """The verdict and what follows from it, in one sentence."""
    sentence: str
    """The measurement in one sentence."""
    next: tuple[NextStep, ...]
    invalid: tuple[str, ...]
    """Sentences on the latencies that may not be quoted, with the reason, where a gate or a cost hangs on them."""
    warnings: tuple[str, ...]
    sections: tuple[Section, ...]

    @property
    def sentence_below(self) -> str:
        """The sentence as it stands below the headline, which has said already that every gate passed."""
        clause = f"; {EVERY_PASSED}."
        told = self.verdict == "passed" and self.sentence.endswith(clause)
        return f"{self.sentence.removesuffix(clause)}." if told else self.sentence


def outline(report: ReportRecord, supplement: Supplement = PLAIN) -> Outline:
    """Outline of a report in words and units. Every string is one printable line."""
    where = report.device or "no device"
    unit = report.reference.metric_unit
    return Outline(
        verdict=report.verdict,
        subject=shown(", ".join((report.target, report.profile, report.backend, where))),
        headline=shown(headline(report)),
        sentence=shown(report.sentence),
        next=next_steps(report, supplement),
        warnings=(*((NOT_THE_TARGET,) if report.host_stand_in else ()), *map(shown, report.warnings or ())),
        invalid=tuple(map(shown, invalid(report))) if hangs_on_time(report) else (),
        sections=tuple(
            part
            for part in (
                gates(report, unit),
                latencies(report),
                costs(report),
                endpoints(report),
                pairs(report),
                confusion_section(report.confusion),
                calibration(report.calibration),
                outside(report.outside),
                slices(report.slices, unit),
                tokens(report.tokens),
                generation(report.generation),
                over_time(report.drift, report.candidate.score),
                adversarial(report.adversarial),
                poisoning(report.poisoning),
                governance(report.governance),
                *robustness(report.robustness, unit),
                timing(report),
                size(report),
                placement(report.artifact),
                layers(supplement.layers),
                facts(report.artifact),
                _stages(report),
                _provenance(report),
            )
            if part
        ),
    )


def _stages(report: ReportRecord) -> Section:
    rows = [(stage.name, f"{stage.seconds:.2f} s", "cached" if stage.cached else "ran") for stage in report.stages]
    total = sum(stage.seconds for stage in report.stages)
    return section("Stages", ("stage", "time", ""), [*rows, ("total", f"{total:.2f} s", "")])


def _provenance(report: ReportRecord) -> Section:
    bundle = report.bundle
    rows = [("bundle", bundle.path), ("digest", bundle.digest), ("signer", bundle.signer)] if bundle else []
    return section("Provenance", ("", "value"), [*rows, *report.versions.items()])
