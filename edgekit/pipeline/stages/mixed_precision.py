"""Mixed precision, `[quantize.mixed]`: search for the layers to leave in float by accuracy, then by measured speed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from platform import machine
from typing import TYPE_CHECKING, Any

from edgekit.bundle.archive import Bundle
from edgekit.bundle.signing import SigningKey
from edgekit.cache import digest_of, tool_versions
from edgekit.devices.emulation.transport import Emulated
from edgekit.ir.measurement import Array
from edgekit.measure.device.installed_bundle import Installed, unpacked
from edgekit.measure.device.scratch_install import scratch_install
from edgekit.parity.paired_answers import PairedAnswers
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.pack import pack_bundle
from edgekit.pipeline.stages.quantization_jobs import IMPORTS, REQUEST, quantizations, stated, write_json
from edgekit.pipeline.stages.stage import Stage
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.samples import Samples
from edgekit.specs.compression import Mixed, Quantize
from edgekit.specs.profile import Gates, Probe
from edgekit.tasks.label_arrays import unlabelled
from edgekit.tasks.registry import task_of
from edgekit.tasks.task import scorable

if TYPE_CHECKING:
    from edgekit.ir.program import Program
    from edgekit.passes.sensitivity.judge import Judge, Limits
    from edgekit.passes.sensitivity.mixed_precision import MixedPrecisionResult
    from edgekit.specs.project import Project

SETTLED = "recipe.json"
SEARCH = 2
"""Version of the search: results of another one are not taken from the cache."""
TRIED = "tried.json"
"""Log of the search, for people: modules left in float, and the cost of each trial."""
GAIN = 0.98
"""Float is chosen only where it takes less than this share: a smaller gain is noise."""
PROBE = Probe(min_count=256, min_duration_s=1.0, processes=1)
ROUGH_SAMPLES = 32
"""Calibration samples of a candidate that is only measured: speed does not depend on its scales and biases."""
ROUNDS = 3
"""Number of turns of each candidate on this machine; its best time counts, as other programs disturb the rest."""


def resolve_mixed_precision(request: BuildRequest, line: StageRunner) -> BuildRequest:
    """Replace `[quantize.mixed]` by a recipe that names the layers to leave in float.

    A request that searches for nothing is returned as it is.
    """
    stage = mixed_stage(request, line)
    if stage is None:
        return request
    return _with(request, Quantize.model_validate_json((stage.run(line) / SETTLED).read_bytes()))


def without_search(request: BuildRequest) -> BuildRequest:
    """Request without `[quantize.mixed]`."""
    recipe = request.profile.quantize
    return _with(request, recipe.model_copy(update={"mixed": None})) if recipe else request


def mixed_stage(request: BuildRequest, line: StageRunner) -> Stage[[]] | None:
    """The stage that searches for the layers to leave in float; None where the profile searches for nothing."""
    mixed = request.profile.quantize.mixed if request.profile.quantize else None
    if mixed is None:
        return None
    plain = without_search(request)
    compilation = Compilation(plain, line)

    def compute_key() -> str:
        gates = {name: bound.model_dump(mode="json") for name, bound in request.profile.gates.named()}
        return digest_of(
            {
                "stage": "mixed",
                "search": SEARCH,
                "program": compilation.program_key,
                "mixed": mixed.model_dump(mode="json"),
                "gates": {name: gates.get(name) for name in ("accuracy_drop", "agreement")},
                "cpu": request.target.emulation.qemu_cpu if request.target.emulation else machine(),
                "versions": tool_versions(request.backend.packages),
            }
        )

    def make(out: Path) -> None:
        recipe, trials = _accurate(compilation, mixed, request.profile.gates)
        if mixed.quicker:
            recipe, measured = _quickest(plain, recipe, compilation, line)
            trials += measured
        (out / SETTLED).write_text(recipe.model_dump_json(exclude_unset=True))
        (out / TRIED).write_text(json.dumps(trials, indent=2))

    return Stage("mixed", compute_key, make)


def _with(request: BuildRequest, recipe: Quantize) -> BuildRequest:
    return replace(request, profile=request.profile.model_copy(update={"quantize": recipe}))


def searched(
    request: BuildRequest, captured: Path, data: Samples, limits: Limits, evaluations: int
) -> MixedPrecisionResult:
    """Search for the recipe with the fewest layers in float that keeps the limits on held-out calibration data.

    captured: folder of the float program. data: calibration set. evaluations: most trials of the search.
    """
    from edgekit.frontend.sequences import program_arguments
    from edgekit.frontend.store import load_program
    from edgekit.passes.sensitivity.judge import held_out
    from edgekit.passes.sensitivity.mixed_precision import PrecisionSearch, search

    recipe = request.profile.quantize
    assert recipe  # callers have checked for a recipe
    fit, judging = (data.take(indices) for indices in held_out(data.labels))
    program = load_program(captured)
    judge = judge_of(request.project, program, judging)
    samples = program_arguments(program, fit)
    problem = PrecisionSearch(program, recipe, quantizations(request.runtime), samples, judge, limits)
    return search(problem, evaluations)


def judge_of(project: Project, program: Program, judging: Samples) -> Judge:
    """Judge of quantized programs against `program`, by the project's task, on samples held out of calibration."""
    from edgekit.frontend.sequences import program_arguments
    from edgekit.passes.sensitivity.judge import Judge

    task, arguments = task_of(project), program_arguments(program, judging, padded=True)
    # Of sequences single steps are judged, which are too many to be all, and so have no labels.
    labels = judging.labels if judging.length is None else unlabelled(len(arguments))

    def compared(reference: Mapping[str, Array], candidate: Mapping[str, Array]) -> PairedAnswers:
        """Answers of two endpoints, from their outputs [N, …] by name."""
        for outputs in (reference, candidate):
            task.check(outputs, None)
        scored = scorable(task, reference, labels)
        return PairedAnswers.of(task.answers(reference), task.answers(candidate), scored, task)

    return Judge(program, arguments, compared)


def limits_of(gates: Gates) -> Limits:
    """Limits that the gates on answers set."""
    from edgekit.passes.sensitivity.judge import Limits

    agreement, drop, integers = gates.agreement, gates.accuracy_drop, gates.integer_macs_share
    return Limits(
        agreement=agreement.min if agreement and agreement.min is not None else 0.0,
        accuracy_drop=drop.max if drop and drop.max is not None else 1.0,
        integer_macs=integers.min if integers and integers.min is not None else 0.0,
    )


def _accurate(compilation: Compilation, mixed: Mixed, gates: Gates) -> tuple[Quantize, list[dict[str, object]]]:
    """Recipe that keeps the gates of accuracy, and the trials of its search, which the converter's process makes."""
    with tempfile.TemporaryDirectory() as scratch, compilation.worker() as worker:
        folder = Path(scratch)
        arguments = {
            "request": stated(compilation.request),
            "program": str(compilation.captured),
            "calibration": str(compilation.calibration.folder),
            "limits": asdict(limits_of(gates)),
            "evaluations": mixed.evaluations,
        }
        worker.call(search_program, arguments, folder, IMPORTS)
        recipe = Quantize.model_validate_json((folder / SETTLED).read_bytes())
        return recipe, json.loads((folder / TRIED).read_text())


def search_program(
    request: dict[str, Any], program: str, calibration: str, limits: dict[str, float], evaluations: int, out: str
) -> None:
    """Search as `searched` does, in the converter's process, and write recipe and trials into the folder `out`.

    program, calibration: folders of the captured program and of the calibration set.
    """
    from edgekit.passes.sensitivity.judge import Limits

    data = Samples.read(Path(calibration), mapped=True)
    result = searched(REQUEST.validate_python(request), Path(program), data, Limits(**limits), evaluations)
    trials = [
        {
            "float32": list(trial.kept),
            "agreement": trial.score.agreement,
            "sqnr_db": trial.score.sqnr_db,
            "met": trial.met,
        }
        for trial in result.tried
    ]
    (Path(out) / SETTLED).write_text(result.recipe.model_dump_json(exclude_unset=True))
    write_json(Path(out) / TRIED, trials)


def _quickest(
    request: BuildRequest, recipe: Quantize, compilation: Compilation, line: StageRunner
) -> tuple[Quantize, list[dict[str, object]]]:
    """Fastest recipe by measurement: `recipe`, or one that leaves one more kind of layer in float; and the trials."""
    from edgekit.frontend.store import load_program
    from edgekit.passes.float_candidates import float_candidates
    from edgekit.passes.sensitivity.mixed_precision import with_float

    groups = float_candidates(load_program(compilation.captured), recipe.kept)
    candidates = [recipe, *(with_float(recipe, modules) for modules in groups)]
    if len(candidates) == 1:
        return recipe, []
    with _measured(request) as measure:
        costs = measure(
            [Compilation(_with(request, _rough(one)), StageRunner(line.cache, line.watch)) for one in candidates]
        )
    least = min(range(len(costs)), key=costs.__getitem__)
    chosen = least if costs[least] < GAIN * costs[0] else 0
    trials = [
        {"float32": list(one.kept), "cost": cost / costs[0], "chosen": number == chosen}
        for number, (one, cost) in enumerate(zip(candidates, costs, strict=True))
    ]
    return candidates[chosen], trials


def _rough(recipe: Quantize) -> Quantize:
    """Recipe whose program has the same operators, types and shapes, for a fraction of the time."""
    return recipe.model_copy(
        update={
            "activations": recipe.activations.model_copy(update={"observer": "minmax"}),
            "weights": recipe.weights.model_copy(update={"rounding": "nearest"}),
            "correct_bias": False,
            "samples": min(recipe.samples, ROUGH_SAMPLES),
        }
    )


@contextmanager
def _measured(request: BuildRequest) -> Iterator[Callable[[Sequence[Compilation]], list[float]]]:
    """Function that measures candidates: nanoseconds on this machine if it has the target's architecture, else
    instructions on an emulated device."""
    if machine() == request.target.cpu.arch:
        yield _times
        return
    with Emulated(f"emulated://{request.target.id}", request.target) as device:
        yield lambda candidates: [_instructions(one, device) for one in candidates]


def _instructions(candidate: Compilation, device: Emulated) -> float:
    """Instructions of one inference on an emulated device, beside its slots: a flash would verify and test it first."""
    with tempfile.TemporaryDirectory() as scratch, _packed(candidate, SigningKey.generate()) as bundle:
        folder, manifest = Path(scratch) / "bundle", bundle.manifest
        bundle.extract(folder)
        with scratch_install(folder, manifest.format, device, "auto", manifest.versions) as installation:
            counted = Installed(installation).speed(candidate.golden.samples, PROBE).instructions
    return float(counted or 0)


def _times(candidates: Sequence[Compilation]) -> list[float]:
    """Shortest inference of each candidate, in nanoseconds."""
    with ExitStack() as stack:
        endpoints = []
        for one in candidates:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "bundle"
            stack.enter_context(_packed(one, SigningKey.generate())).extract(folder)
            endpoints.append(stack.enter_context(unpacked(folder)))
        samples = candidates[0].golden.samples
        rounds = [[one.speed(samples, PROBE).latency_ns.min() for one in endpoints] for _ in range(ROUNDS)]
    return [float(min(times_ns)) for times_ns in zip(*rounds, strict=True)]


@contextmanager
def _packed(compilation: Compilation, key: SigningKey) -> Iterator[Bundle]:
    """Bundle for a measurement only, signed with a throw-away `key`."""
    with tempfile.TemporaryDirectory() as scratch, compilation.lowered() as finished:
        yield pack_bundle(compilation, finished(), key, Path(scratch))
