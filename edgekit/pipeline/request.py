"""Build requests, resolved and checked before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit import examples, plugins
from edgekit.backends.base import Backend
from edgekit.datasets.tokenizer import read_tokenizers
from edgekit.errors import EdgekitError, Misfit, MissingExtra, StateUnsupported, UsageError
from edgekit.errors.faults import Faults
from edgekit.pipeline.model_size import check_model_size, check_state_size
from edgekit.specs import override
from edgekit.specs.catalog import Catalog
from edgekit.specs.compression import Quantize
from edgekit.specs.factory import is_factory
from edgekit.specs.factory_names import NETWORK, SAMPLES, check_factory
from edgekit.specs.override import Override
from edgekit.specs.profile import Gates, Profile
from edgekit.specs.project import Project
from edgekit.specs.target import RuntimeSpec, Target
from edgekit.specs.weight_count import weight_count
from edgekit.tasks.registry import task_of, temperature_of

ALL = "all"
TENSORRT = "tensorrt"
"""Delegate that takes no free length."""


@dataclass(frozen=True)
class BuildRequest:
    """Request for one artifact: a project, for a target, by one of its runtimes, with a profile."""

    project: Project
    target: Target
    runtime: RuntimeSpec
    profile: Profile

    @property
    def backend(self) -> type[Backend]:
        """Class of the backend. Raises UnknownName, Ambiguous or MissingExtra."""
        backend: type[Backend] = plugins.load("backends", self.runtime.backend)
        return backend

    @property
    def name(self) -> str:
        """Name of its bundle and of its default output folder."""
        recipe = self.profile.id.removeprefix(f"{self.target.family}-")
        return f"{self.project.name}-{self.target.id}-{self.runtime.backend}-{recipe}"

    @property
    def recipe_before_lowering(self) -> Quantize | None:
        """The recipe, if the program is quantized before it is lowered."""
        recipe = self.profile.quantize
        return None if recipe is None or recipe.precision in self.backend.at_lowering else recipe

    @property
    def recipe_at_lowering(self) -> Quantize | None:
        """The recipe, if the backend carries it out as it lowers."""
        return None if self.recipe_before_lowering else self.profile.quantize

    @property
    def rounding_recipe(self) -> Quantize | None:
        """The recipe, if the backend carries it out, but weights are rounded by calibration data before."""
        recipe = self.recipe_at_lowering
        rounds = recipe is not None and recipe.precision == "weight-int4" and recipe.weights.rounding != "nearest"
        return recipe if rounds else None

    @property
    def calibrated(self) -> bool:
        """True if a calibration set has a part in quantization."""
        recipe = self.profile.quantize
        return recipe is not None and recipe.calibrated


@dataclass(frozen=True)
class RefusedBackend:
    """Backend of a target that cannot build the request, and why."""

    target: str
    backend: str
    error: EdgekitError


def find_project(project: Path | None, example: str | None) -> Project:
    """Read the project in a folder (by default the current one), or an embedded example. Raises UsageError."""
    if project and example:
        raise UsageError("--project and --example were both given", hint="give one of them")
    return Project.read(examples.folder(example) if example else project or Path())


def resolve_requests(
    project: Project, target: str, backend: str | None, profile: str | None, overrides: Sequence[str] = ()
) -> tuple[BuildRequest, ...]:
    """Resolve a request for one target, or for every target that the profile fits if `target` is `all`.

    backend, profile: ids; None for the default of the target; the backend `all` for each that can build it. overrides:
    as `--set` takes them. Raises UsageError, and DataError or TokenizerMismatch for a tokenizer that does not fit.
    """
    if backend == ALL:
        return _fitting(resolve_backends(project, target, profile, overrides))
    catalog, project, targets, changes = _resolved(project, target, profile, overrides)
    return tuple(_order(catalog, project, board, backend, profile, changes) for board in targets)


def resolve_backends(
    project: Project, target: str, profile: str | None, overrides: Sequence[str] = ()
) -> tuple[BuildRequest | RefusedBackend, ...]:
    """Resolve a request for every backend of a target, or of all; one that does not fit is refused with its reason.

    Raises as `resolve_requests` does, for what is wrong with any backend.
    """
    catalog, project, targets, changes = _resolved(project, target, profile, overrides)
    return tuple(
        _order_or_refusal(catalog, project, board, runtime.backend, profile, changes)
        for board in targets
        for runtime in board.runtime
    )


def _fitting(resolved: Sequence[BuildRequest | RefusedBackend]) -> tuple[BuildRequest, ...]:
    """Select the requests. Raises the error of the first backend if there is none."""
    requests = tuple(each for each in resolved if isinstance(each, BuildRequest))
    refused = [each for each in resolved if isinstance(each, RefusedBackend)]
    if not requests and refused:
        raise refused[0].error
    return requests


def _order_or_refusal(
    catalog: Catalog, project: Project, board: Target, backend: str, profile: str | None, changes: list[Override]
) -> BuildRequest | RefusedBackend:
    try:
        return _order(catalog, project, board, backend, profile, changes)
    except (MissingExtra, Misfit, StateUnsupported) as error:
        return RefusedBackend(board.id, backend, error)


def _resolved(
    project: Project, target: str, profile: str | None, overrides: Sequence[str]
) -> tuple[Catalog, Project, list[Target], list[Override]]:
    """Check what every backend has in common; find the targets."""
    changes = [Override.parse(text) for text in overrides]
    catalog, faults = Catalog.default(project.root), Faults()
    project = override.apply(project, "project", changes)
    with faults.collect():
        task_of(project)  # an unknown task, or a wrong option of it, is told now
    _check_factories(project, faults)
    with faults.collect():
        read_tokenizers(project)
    targets: list[Target] = []
    with faults.collect():
        targets = catalog.targets() if target == ALL else [catalog.target(target)]
    with faults.collect():
        if profile:
            catalog.profile(profile)
    faults.check()
    if target == ALL and profile:
        families = catalog.profile(profile).families
        targets = [board for board in targets if board.family in families]
    return catalog, project, targets, changes


def _check_factories(project: Project, faults: Faults) -> None:
    """Collect a SpecError for each function that the project names and that no file of it has."""
    sets = project.data
    data = (sets.training, sets.calibration, sets.evaluation, sets.outside)
    named = {project.model.factory: NETWORK, **{each.loader: SAMPLES for each in data if each}}
    for factory in filter(is_factory, (*named, *project.task.values())):
        with faults.collect():
            check_factory(factory, project.root, named.get(factory, ""))


def _order(
    catalog: Catalog, project: Project, board: Target, backend: str | None, profile: str | None, changes: list[Override]
) -> BuildRequest:
    board = override.apply(board, "target", changes)
    for accelerator in board.accelerator:
        catalog.accelerator(accelerator.kind)  # one that no file states is told now
    chosen = _with_gates(catalog.profile(profile) if profile else catalog.default_profile(board), project.gates)
    chosen = chosen.model_copy(update={"robustness": project.robustness}) if project.robustness else chosen
    request = BuildRequest(project, board, board.select_runtime(backend), override.apply(chosen, "profile", changes))
    try:
        # A backend that is not installed is told now.
        check_request(request)
    except Misfit as error:
        others = [runtime.backend for runtime in board.runtime if _fits(replace(request, runtime=runtime))]
        raise Misfit(str(error), hint=f"--backend {others[0]}" if others else error.hint) from error
    return request


def _with_gates(profile: Profile, gates: Gates) -> Profile:
    """Profile with the gates of a project in the place of its own; one that is set to false is none."""
    stated = {name: getattr(gates, name) for name in gates.model_fields_set}
    return profile.model_copy(update={"gates": profile.gates.model_copy(update=stated)}) if stated else profile


def check_request(request: BuildRequest) -> None:
    """Raise Misfit, or what else the target, the backend or the project refuses the profile for."""
    request.profile.check(request.target, request.runtime, request.backend.refuses)
    if request.profile.quantize:
        request.backend().check_recipe(request.profile.quantize, request.runtime)
    _check_state(request)
    _check_lengths(request)
    _check_temperature(request.project)
    _check_training(request)
    weights = weight_count(request.project.model, request.project.root)
    if weights:
        check_request_size(weights, request)


def check_request_size(weights: int, request: BuildRequest) -> None:
    """Raise Misfit if the target's memory or the file format cannot hold a model of so many weights and its state."""
    check_model_size(
        weights, request.project.state, request.profile, request.target, request.runtime.backend, request.backend.format
    )


def _check_state(request: BuildRequest) -> None:
    """Raise StateUnsupported if the profile prunes a model with state, Misfit if the target cannot hold that state."""
    profile = request.profile
    check_state_size(request.project.state, request.target)
    if request.project.state and profile.prune:
        raise StateUnsupported(
            f"profile '{profile.id}' prunes, which would change the size of the state of '{request.project.name}'",
            hint="take a profile without [prune]: edgekit profiles",
        )


def _check_lengths(request: BuildRequest) -> None:
    """Raise Misfit for what takes samples of one length only, if the project leaves lengths free."""
    project = request.project
    if not project.lengths:
        return
    length = project.lengths[0]
    one_length = f"state one length under [inputs], such as {length.most} for '{length.name}'"
    if TENSORRT in request.runtime.delegates:
        raise Misfit(f"TensorRT builds its engine for one length, the project leaves '{length}' free", hint=one_length)
    if project.reference.address:
        raise Misfit(
            f"a served reference is sent samples of one length, the project leaves '{length}' free",
            hint="--reference eager, or [reference] url = 'eager'",
        )


def _check_temperature(project: Project) -> None:
    """Raise Misfit for a temperature that the artifact would have and a served reference would not."""
    if temperature_of(project) is not None and project.reference.address:
        raise Misfit(
            "[task] temperature divides the logits of the network here, and not those of a served reference",
            hint="--reference eager, or serve the network with the temperature inside, and leave it out of [task]",
        )


def _check_training(request: BuildRequest) -> None:
    """Raise StateUnsupported or Misfit if the profile must train a model with state or free lengths."""
    project, profile = request.project, request.profile
    if not (profile.recover and profile.recover.required):
        return
    again = f"profile '{profile.id}' trains the network again"
    hint = "--set profile.recover.required=false to go without, or a profile without [recover]"
    if project.state:
        reason = f"{again}, and '{project.name}' has state: training takes single samples, not sequences"
        raise StateUnsupported(reason, hint=hint)
    if project.lengths:
        raise Misfit(
            f"{again}, on batches of one length; the project leaves '{project.lengths[0]}' free",
            hint=hint,
        )


def _fits(request: BuildRequest) -> bool:
    try:
        check_request(request)
    except EdgekitError:  # a backend that is not installed fits nothing
        return False
    return True
