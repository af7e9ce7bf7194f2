"""Next steps: one sentence a person can act on, and what to type."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from edgekit.ir.plural import counted
from edgekit.parity.gate_readings import DATA_GATES
from edgekit.parity.gates import GateResult
from edgekit.report.record import BundleRecord, ReportRecord
from edgekit.report.sections.invalid import TIME_GATES
from edgekit.report.sections.section import shown
from edgekit.report.supplement import Supplement

MOST = 3
"""Next steps that a report tells; what helps the first gate may help the others."""
_DIAGNOSED = frozenset(
    {
        "accuracy_drop",
        "accuracy_change",
        "agreement",
        "outside_auroc_drop",
        "robustness_drop",
        "stability_drop",
        "calibration_drop",
    }
)
_PLACED = frozenset(
    {
        "size_ratio",
        "smaller",
        "integer_share",
        "integer_macs_share",
        "fallback_share",
        "fallback_bytes_share",
        "fragments",
    }
)
_FLIPPED = frozenset({"worst_slice_drop", "worst_class_drop", "fairness_gap"})

_ADVICE = re.compile(r"--samples (\d+)")
_NAMED = re.compile(": edgekit (diagnose DIR|inspect BUNDLE --placement|report DIR --flips csv)")
"""Commands in sentences, which stand below these with the names of the report."""


@dataclass(frozen=True)
class NextStep:
    """One thing to do."""

    words: str
    command: str | None = None
    """Command line to type; None where no command does it."""


def headline(report: ReportRecord) -> str:
    """The verdict and what follows from it, in one sentence."""
    failed, undecided = (_with(report, outcome) for outcome in ("failed", "undecided"))
    count = len(report.gates)
    if failed:
        others = f", {len(undecided)} could not be decided" if undecided else ""
        return f"Do not ship it: {_share(len(failed), count)} failed{others}."
    if undecided:
        return f"Do not ship it yet: {_share(len(undecided), count)} could not be decided."
    if not report.gates:
        return "No gate was set, so nothing was decided."
    if _on_the_target(report):
        return f"Ready to ship: every gate passed on {report.target}."
    return "Good so far: every gate that can be measured here passed."


def _share(some: int, count: int) -> str:
    return "the only gate" if some == count == 1 else f"{some} of {counted(count, 'gate')}"


def _on_the_target(report: ReportRecord) -> bool:
    return report.device is not None and not report.host_stand_in and report.candidate.kind != "emulated"


def _with(report: ReportRecord, outcome: str) -> list[GateResult]:
    return [gate for gate in report.gates if gate.outcome == outcome]


def next_steps(report: ReportRecord, supplement: Supplement) -> tuple[NextStep, ...]:
    """Steps in the order in which they help, MOST of them; the same command is told once."""
    steps: dict[str, NextStep] = {}
    for step in _steps(report, supplement):
        steps.setdefault(step.command or step.words, step)
    return tuple(NextStep(shown(step.words), step.command and shown(step.command)) for step in steps.values())[:MOST]


def _steps(report: ReportRecord, supplement: Supplement) -> Iterable[NextStep]:
    failed, undecided = (_with(report, outcome) for outcome in ("failed", "undecided"))
    for gate in failed:
        command = _command(gate, report, supplement)
        words = _remedy(gate)
        yield NextStep(f"{gate.name}: {_NAMED.sub('', words) if command else words}", command)
    unmeasured = report.device is None or not _on_the_target(report)
    for gate in undecided:
        if unmeasured and gate.value is None and gate.name not in DATA_GATES:
            yield _measure(report, supplement)
        else:
            command = _settling(gate, report, supplement)
            again = " Measure it once more." if command and gate.name in TIME_GATES else ""
            yield NextStep(f"{gate.name}: {_open(gate)}{again}", command)
    if failed or undecided:
        return
    if unmeasured:
        yield _measure(report, supplement)
    elif report.device is not None:
        yield from _ship(report, report.device, supplement)


def _ship(report: ReportRecord, device: str, supplement: Supplement) -> Iterable[NextStep]:
    """Steps after every gate passed on the target itself."""
    words = "See that the device serves it now: the run committed it, unless --no-commit left it on trial"
    yield NextStep(f"{words}, where edgekit commit does it.", Supplement().command("status", "--device", device))
    if report.bundle:
        words = (
            "Ship it to other devices: each serves it once its self-test there has passed; --group GROUP takes many."
        )
        bundle = _bundle_file(report.bundle, supplement)
        yield NextStep(words, Supplement().command("flash", bundle, "--device", "ssh://USER@HOST"))
        words = "To look before they serve it, flash with --no-commit, then commit."
        yield NextStep(words, Supplement().command("commit", "--device", "ssh://USER@HOST"))


def _bundle_file(bundle: BundleRecord, supplement: Supplement) -> str:
    """Path of the bundle beside its report, as its user types it."""
    return f"{supplement.folder}/{bundle.path.rpartition('/')[2]}"


def _remedy(gate: GateResult) -> str:
    """Remedy of a gate, as its sentence says it."""
    return gate.meaning.rpartition(" Next: ")[2].rstrip(".") + "."


def _open(gate: GateResult) -> str:
    """Advice on an undecided gate: the last sentence of its meaning."""
    last = gate.meaning.rpartition("; it should be ")[2].partition(". ")[2] or gate.meaning
    return last.removeprefix("It is undecided: ")


def _command(gate: GateResult, report: ReportRecord, supplement: Supplement) -> str | None:
    if gate.name in _DIAGNOSED:
        return supplement.command("diagnose", supplement.folder)
    if gate.name in _FLIPPED:
        return Supplement().command("report", supplement.folder, "--flips", "csv")
    if gate.name in _PLACED and report.bundle:
        return Supplement().command("inspect", _bundle_file(report.bundle, supplement), "--placement")
    return None


def _settling(gate: GateResult, report: ReportRecord, supplement: Supplement) -> str | None:
    """Command that may settle an open gate: with more samples, as its text advises, or of a time once again."""
    advice = _ADVICE.search(gate.meaning)
    if advice is None and gate.name not in TIME_GATES:
        return None
    options = ("--target", report.target, "--backend", report.backend, "--profile", report.profile)
    samples = ("--samples", advice[1]) if advice else ()
    return supplement.command("run", *options, "--device", report.device or "local://", *samples)


def _measure(report: ReportRecord, supplement: Supplement) -> NextStep:
    """Step that measures on the target itself."""
    options = ("--target", report.target, "--backend", report.backend, "--profile", report.profile)
    if report.target == "host" and not report.host_stand_in:
        return NextStep("Measure its time here.", supplement.command("run", *options, "--device", "local://"))
    command = supplement.command("run", *options, "--device", "ssh://USER@HOST")
    words = f"Measure it on {report.target}: its address takes the place of USER@HOST."
    return NextStep(f"{words} If every gate passes there, it serves the model from then on.", command)
