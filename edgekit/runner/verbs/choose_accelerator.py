"""Verb `slots accelerator`: keep the best of CPU, GPU and NPU that may run the model of a slot.

The best is the quickest, or, if the bundle asks for it and a sensor tells, the one that draws the least energy.

A wrong driver, a missing library, a hang, answers that are not finite or not the CPU's: each leaves the device on its
CPU, with the reason in its history.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import RunnerError
from ..machine.runtime_versions import installed
from ..model.accelerator import CPU
from ..model.manifest import read_manifest
from ..slots.accelerator_choice import changes, choice, energy_words, surroundings
from ..slots.state import State, changed, locked_state, recorded, write
from .accelerator_trial import MAX_WHY, try_accelerators
from .best_accelerator import AcceleratorLimits, best_accelerator


class ChoiceRequest(NamedTuple):
    """Request of a host: the accelerators to try, and the gates."""

    kinds: tuple[str, ...]
    """Kinds that the bundle can use."""
    limits: AcceleratorLimits
    told: str | None = None
    """The CPU or the kind that a person named; it is taken if it runs at all, and the host's gates judge it."""
    options: tuple[str, ...] = ()
    """Options for the kind that is told, or for each that is tried, `NAME=VALUE`."""
    threads: int = 1
    limit_s: float = 120.0
    """Seconds that one kind may take to load, compile and answer."""


def choose_accelerator(root: Path, digest: str, request: ChoiceRequest) -> dict[str, Any]:
    """Choose the accelerator of the bundle `digest`, which is on trial or served, and keep the choice with its slot.

    A choice that is valid still is not measured again. Raises RunnerError: state if no slot holds the bundle; for a
    kind that is told, what it failed with.
    """
    with locked_state(root) as state:
        slot = _slot_of(state, digest)
        here = surroundings(installed()[read_manifest(root / slot).format])
        kept = state["slots"][slot]["accelerator"]
        if kept and _is_answer(kept, request, here):
            return {**kept, "changed": False}
        kinds = [request.told] if request.told else _kinds(kept, request)
        options = request.options if request.told else _merged(kept["options"] if kept else (), request.options)
        tried = [kind for kind in kinds if kind != CPU]
        measured = try_accelerators(root, slot, tried, options, request.threads, request.limit_s)
        if request.told and "failed" in measured[-1]:
            raise RunnerError(measured[-1]["failed"], f"{request.told}: {measured[-1]['why']}")
        kind, why = (request.told, "a person named it") if request.told else best_accelerator(measured, request.limits)
        made = choice(kind, why, request.told is not None, options, here, measured)
        write(root, _with_choice(state, slot, made))
        return {**made, "changed": True}


def keep_cpu(root: Path, digest: str, why: str) -> dict[str, Any]:
    """Keep the CPU for the bundle `digest`, as the host's gates refused the accelerator; the measurements stay.

    Raises RunnerError (state) if no slot holds the bundle, or nothing was measured.
    """
    with locked_state(root) as state:
        slot = _slot_of(state, digest)
        kept = state["slots"][slot]["accelerator"]
        if kept is None:
            raise RunnerError("state", f"no accelerator was measured for slot '{slot}'")
        made = {**kept, "kind": CPU, "why": why[:MAX_WHY]}
        write(root, _with_choice(state, slot, made))
        return {**made, "changed": True}


def _is_answer(kept: dict[str, Any], request: ChoiceRequest, here: dict[str, str]) -> bool:
    """Tell whether a choice answers the request: nobody names another, and nothing that it depends on has changed."""
    if request.told:
        same = (kept["kind"], kept["told"], tuple(kept["options"])) == (request.told, True, request.options)
    else:
        same = True
    told_cpu = kept["told"] and kept["kind"] == CPU
    return same and (told_cpu or not changes(kept, here))


def _kinds(kept: dict[str, Any] | None, request: ChoiceRequest) -> list[str]:
    """Kinds to try: the one that a person named before, whose choice has expired, else all that the bundle can use."""
    return [kept["kind"]] if kept and kept["told"] else list(request.kinds)


def _merged(kept: Sequence[str], newer: Sequence[str]) -> tuple[str, ...]:
    """Options `NAME=VALUE` of a choice that has expired, and those that the host asks for now, which win."""
    values = dict(text.partition("=")[::2] for text in (*kept, *newer))
    return tuple(f"{name}={value}" for name, value in values.items())


def _with_choice(state: State, slot: str, made: dict[str, Any]) -> State:
    """State with the choice, and an entry of history that says what was chosen and why the others were not."""
    others = {each["kind"]: each["why"] for each in made["measured"] if each.get("why")}
    energy = energy_words(made["measured"])
    more = {"others": others or None, "energy": energy}
    detail = {"accelerator": made["kind"], "why": made["why"], **{name: each for name, each in more.items() if each}}
    verdict = state["slots"][slot]["state"]  # a word that earlier runners know
    return changed(recorded(state, slot, verdict, detail), slot, accelerator=made)


def _slot_of(state: State, digest: str) -> str:
    for name, entry in state["slots"].items():
        if entry["digest"] == digest and entry["state"] in ("trial", "committed"):
            return str(name)
    raise RunnerError("state", "no slot has that bundle on trial or serves it")
