"""What a build would do, told without doing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgekit.parity.chance import defaults
from edgekit.pipeline.build import ENOUGH, REFERENCE, VERIFY, evaluation, reference_key, verify_key
from edgekit.pipeline.stages.compile import CAPTURE, CAPTURE_FLOAT, Compilation
from edgekit.pipeline.stages.inputs import LOAD
from edgekit.pipeline.stages.mixed_precision import MIXED
from edgekit.pipeline.verdict import COMPARE
from edgekit.specs.profile import Gates

TO_DO, CACHED = "to do", "cached"


@dataclass(frozen=True)
class Plan:
    """What a build would do: for what, by what, and which of its stages are done already."""

    project: str
    target: str
    backend: str
    delegates: tuple[str, ...]
    profile: str
    precision: str
    stages: dict[str, str]
    """By name, in order: `to do`, or `cached`."""
    gates: dict[str, dict[str, Any]]
    """By name, the limits."""


def plan_build(compilation: Compilation) -> Plan:
    """What building that would do, told without loading the project's network."""
    order = compilation.order
    return Plan(
        order.project.name,
        order.target.id,
        order.runtime.backend,
        tuple(order.runtime.delegates),
        order.profile.id,
        order.profile.precision,
        foreseen(compilation),
        {name: dict(limits) for name, limits in foreseen_gates(order.profile.gates).items()},
    )


def foreseen(compilation: Compilation) -> dict[str, str]:
    """Every stage that a build records, "to do" or "cached" as far as that is known without loading anything."""
    profile = compilation.order.profile
    if profile.quantize and profile.quantize.mixed:  # what it finds decides the rest
        plain = profile.quantize.model_copy(update={"mixed": None})
        order = replace(compilation.order, profile=profile.model_copy(update={"quantize": plain}))
        return dict.fromkeys((MIXED, *foreseen(replace(compilation, order=order))), TO_DO)
    inputs = {data.stage: CACHED if data.known else TO_DO for data in compilation.data}
    made = _made(compilation)
    load = {LOAD: TO_DO} if _is_loaded(compilation, made) else {}
    return load | inputs | made | _judged(compilation) | {COMPARE: TO_DO}


def foreseen_gates(gates: Gates) -> dict[str, Mapping[str, float | str]]:
    """Every gate that a build decides, with its limits; `chance` stands for what a constant answer will reach."""
    return {**defaults(gates), **{name: bound.model_dump(exclude_none=True) for name, bound in gates.named()}}


def _made(compilation: Compilation) -> dict[str, str]:
    """The stages that make the artifacts."""
    if not compilation.known:
        return dict.fromkeys(compilation.stages, TO_DO)
    return {name: _state(compilation, key) for name, key in compilation.keys.items()}


def _is_loaded(compilation: Compilation, made: dict[str, str]) -> bool:
    """Whether a stage takes the project's own network, or nothing else can tell what that is."""
    compressed = compilation.compressed.stages
    takes = (*compressed, CAPTURE_FLOAT) if compressed else (CAPTURE,)
    return not compilation.network.known or any(made[name] == TO_DO for name in takes)


def _judged(compilation: Compilation) -> dict[str, str]:
    """The stages that the verdict is made of."""
    data = evaluation(compilation.order, compilation.line, ENOUGH)
    if not (compilation.known and data.known):
        return {data.stage: CACHED if data.known else TO_DO, REFERENCE: TO_DO, VERIFY: TO_DO}
    keys = {REFERENCE: reference_key(compilation, data), VERIFY: verify_key(compilation, data)}
    return {data.stage: CACHED} | {name: _state(compilation, key) for name, key in keys.items()}


def _state(compilation: Compilation, key: str) -> str:
    return CACHED if compilation.line.cache.find(key) else TO_DO
