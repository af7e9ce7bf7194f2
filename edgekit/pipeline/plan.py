"""Plan of a build: its stages and gates, told without running any."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from edgekit.backends.store import load_artifact
from edgekit.parity.chance import defaults
from edgekit.pipeline.adversarial import STAGE as ADVERSARIAL
from edgekit.pipeline.build import ENOUGH, evaluation, reference_stage
from edgekit.pipeline.host_answers import verify_stage
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.accelerator_fits import accelerator_fits, unused_accelerators
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.data_governance import foreseen_data_gates
from edgekit.pipeline.stages.inputs import LOAD
from edgekit.pipeline.stages.mixed_precision import mixed_stage, without_search
from edgekit.pipeline.stages.poisoning_screen import is_screened, screen_stage, screened_data
from edgekit.pipeline.stages.precision_repair import repair_stage, settled_compilation
from edgekit.pipeline.stages.stage import Stage
from edgekit.pipeline.stages.temperature import fitted_in, is_known, temperature_stage, with_temperature
from edgekit.pipeline.verdict import COMPARE

TO_DO, CACHED = "to do", "cached"


@dataclass(frozen=True)
class Plan:
    """Plan of a build: target, backend and profile, its gates, and which of its stages are done already."""

    project: str
    task: str
    target: str
    backend: str
    delegates: tuple[str, ...]
    profile: str
    precision: str
    stages: dict[str, str]
    """State of each stage, `to do` or `cached`, by name and in order."""
    gates: dict[str, dict[str, Any]]
    """Limits of each gate, by name."""
    accelerators: dict[str, str]
    """Operators that each accelerator of the target will not take, a sentence by kind; once the model is lowered."""


def plan_build(compilation: Compilation) -> Plan:
    """Plan the build of a request, without loading the project's network."""
    request = compilation.request
    return Plan(
        request.project.name,
        request.project.model.task,
        request.target.id,
        request.runtime.backend,
        tuple(request.runtime.delegates),
        request.profile.id,
        request.profile.precision,
        foreseen(compilation),
        {name: dict(limits) for name, limits in foreseen_gates(request).items()},
        _accelerators(compilation),
    )


def _accelerators(compilation: Compilation) -> dict[str, str]:
    """Sentence on each accelerator of the target, by kind, as far as it is known."""
    request = compilation.request
    kinds = [each.kind for each in request.target.accelerators(request.runtime.backend)]
    entry = compilation.line.cache.find(compilation.lower.key) if kinds and compilation.known else None
    if entry is None:
        return dict.fromkeys(kinds, "known once it is built") | unused_accelerators(request)
    artifact = load_artifact(entry)
    fits = {fit.kind: fit.sentence for fit in accelerator_fits(request, artifact)}
    return {kind: fits.get(kind, "no rules are known for it") for kind in kinds} | unused_accelerators(request)


def foreseen(compilation: Compilation) -> dict[str, str]:
    """State of every stage that a build records, in order, as far as it is known without loading anything."""
    fit = temperature_stage(compilation.request, compilation.line)
    if fit:  # its result is a part of the network
        known = is_known(compilation.request, compilation.line)
        entry = compilation.line.cache.find(fit.key) if known else None
        fitted = with_temperature(compilation.request, fitted_in(entry) if entry else None)
        later = foreseen(Compilation(fitted, compilation.line))
        return {fit.name: CACHED, **later} if entry else dict.fromkeys((fit.name, *later), TO_DO)
    search = mixed_stage(compilation.request, compilation.line)
    if search:  # its result decides the keys of the rest
        plain = replace(compilation, request=without_search(compilation.request))
        return dict.fromkeys((search.name, *foreseen(plain)), TO_DO)
    repair = repair_stage(compilation)
    entry = compilation.line.cache.find(repair.key) if repair and compilation.known else None
    if entry:
        compilation = settled_compilation(compilation, entry)
    inputs = {data.stage_name: CACHED if data.known else TO_DO for data in compilation.data}
    states = {stage.name: _state(stage, compilation, compilation.known) for stage in compilation.stages}
    load = {LOAD: TO_DO} if _is_loaded(compilation, states) else {}
    if repair and entry:
        states = {repair.name: CACHED, **states}
    elif repair and compilation.quantize:
        states = _before(compilation.quantize.name, repair.name, states)
    return load | inputs | states | _judging(compilation) | {COMPARE: TO_DO}


def _before(later: str, name: str, states: Mapping[str, str]) -> dict[str, str]:
    """States with a stage to do before another one, and all from there on to do."""
    names = list(states)
    place = names.index(later)
    return {one: states[one] for one in names[:place]} | dict.fromkeys((name, *names[place:]), TO_DO)


def foreseen_gates(request: BuildRequest) -> dict[str, Mapping[str, float | str]]:
    """Every gate that a build decides, with its limits; `chance` stands for the score of the best constant answer."""
    gates = request.profile.gates
    return {
        **defaults(gates, foreseen_data_gates(request)),
        **{name: bound.model_dump(exclude_none=True) for name, bound in gates.named()},
    }


def _is_loaded(compilation: Compilation, states: Mapping[str, str]) -> bool:
    """True if a stage takes the project's own network, or nothing else can tell what that is."""
    takes = (*compilation.compressed.stages, compilation.capture_original)
    return not compilation.network.known or any(states[stage.name] == TO_DO for stage in takes)


def _judging(compilation: Compilation) -> dict[str, str]:
    """States of the stages that the verdict is made of."""
    data = evaluation(compilation.request, compilation.line, ENOUGH)
    known = compilation.known and data.known
    stages = (reference_stage(compilation, data), verify_stage(compilation, data))
    states = {stage.name: _state(stage, compilation, known) for stage in stages}
    return {data.stage_name: CACHED if data.known else TO_DO} | states | _asked_by_gates(compilation)


def _asked_by_gates(compilation: Compilation) -> dict[str, str]:
    """States of the stages that a build has only where their gates are named."""
    attacked = {ADVERSARIAL: TO_DO} if compilation.request.profile.gates.adversarial_drop else {}
    if not is_screened(compilation):
        return attacked
    screen = screen_stage(compilation)
    return attacked | {screen.name: _state(screen, compilation, compilation.known and screened_data(compilation).known)}


def _state(stage: Stage[...], compilation: Compilation, known: bool) -> str:
    """State of a stage; to do where its key is not `known` yet."""
    return CACHED if known and compilation.line.cache.find(stage.key) else TO_DO
