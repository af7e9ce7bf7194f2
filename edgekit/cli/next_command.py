"""Command to type next, after a build or a run: the one that was typed, changed."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from edgekit.cli.output import note
from edgekit.pipeline.request import BuildRequest
from edgekit.report.report import Report

ADVICE = re.compile(r"--samples (\d+)")
"""Number of samples that settles a gate, as its text advises."""
ACCURACY = frozenset({"accuracy_drop", "accuracy_change", "agreement", "worst_class_drop", "worst_slice_drop"})
"""Gates that fail where layers lose too much, which `edgekit diagnose` finds."""
ALONE = frozenset({"--json", "--no-cache"})
"""Options of the command that was typed which the next one is better without."""


def note_after_build(request: BuildRequest, report: Report, folder: Path) -> None:
    """Say where the bundle lies, and what to type next."""
    note(f"bundle: {folder / f'{request.name}.edgekit'}")
    if report.verdict == "failed":
        note(f"next: {_after_failure(report, folder)}")
        return
    note(f"next: {_typed('run', ('--device', _device(request)))}")


def note_after_run(report: Report, folder: Path, device: str) -> None:
    """Say what to type next."""
    if report.verdict == "passed":
        note(f"next: edgekit status --device {shlex.quote(device)}" if device != "emulated" else f"bundle in {folder}")
    elif report.verdict == "failed":
        note(f"next: {_after_failure(report, folder)}")
    else:
        undecided = [gate for gate in report.gates if gate.outcome == "undecided"]
        needed = [int(match[1]) for gate in undecided if (match := ADVICE.search(gate.meaning))]
        if needed:
            note(f"next: {_typed('run', ('--samples', str(max(needed))))}")
        else:
            names = ", ".join(gate.name for gate in undecided)
            note(f"next: what the text of {names} in the report says, then {_typed('run', ())}")


def _after_failure(report: Report, folder: Path) -> str:
    failed = {gate.name for gate in report.gates if gate.outcome == "failed"}
    if failed & ACCURACY:
        return shlex.join(["edgekit", "diagnose", str(folder), *_options("--project", "--example")])
    return f"what the text of {', '.join(sorted(failed))} in the report says, then {_typed('build', ())}"


def _device(request: BuildRequest) -> str:
    """URL of a device for the target, to be filled in where it is no machine that is known here."""
    if request.target.family == "host":
        return "local://"
    return "adb://SERIAL" if request.target.family == "android" else "ssh://USER@HOST"


def _typed(command: str, more: Sequence[str]) -> str:
    """Command line that was typed, as another command and with other values of the options in `more`."""
    words = [word for word in sys.argv[1:] if word not in ALONE]
    words = words[next((i for i, word in enumerate(words) if word in ("build", "run")), -1) + 1 :]
    if more:
        words = _without(words, more[0])
    return shlex.join(["edgekit", command, *words, *more])


def _without(words: Sequence[str], option: str) -> list[str]:
    """Words of a command line without an option and its value."""
    kept, values = [], iter(words)
    for word in values:
        if word == option:
            next(values, None)
        elif not word.startswith(f"{option}="):
            kept.append(word)
    return kept


def _options(*names: str) -> list[str]:
    """Those of the options that were typed, with their values."""
    words = sys.argv[1:]
    return [each for i, word in enumerate(words[:-1]) if word in names for each in (word, words[i + 1])]
