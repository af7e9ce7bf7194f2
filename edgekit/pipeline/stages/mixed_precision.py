"""[quantize.mixed] settled: which layers stay in float, searched for by accuracy, then measured for speed."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from platform import machine
from typing import TYPE_CHECKING

from edgekit.bundle.archive import Bundle
from edgekit.bundle.signing import SigningKey
from edgekit.cache import digest_of, tool_versions
from edgekit.devices.emulation.transport import Emulated
from edgekit.devices.flash import flash
from edgekit.measure.device.installed import Installed, unpacked
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.float_baseline import on_trial
from edgekit.pipeline.stages.pack import pack_bundle
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.specs.compression import Mixed, Quantize
from edgekit.specs.profile import Gates, Probe

if TYPE_CHECKING:
    from edgekit.passes.sensitivity.mixed_precision import Limits, MixedPrecisionResult

MIXED = "mixed"
SETTLED = "recipe.json"
TRIED = "tried.json"
"""What was tried, for people: modules left in float, and what it cost."""
GAIN = 0.98
"""Float is chosen only where it takes less than this share: a smaller gain is noise."""
PROBE = Probe(min_count=256, min_duration_s=1.0, processes=1)
ROUNDS = 3
"""Candidates take turns so often on this machine, and each one's best time counts: others are at work here too."""


def resolve_mixed_precision(order: BuildRequest, line: StageRunner) -> BuildRequest:
    """The order with a recipe that names what stays in float; the same order where the profile searches for nothing."""
    recipe = order.profile.quantize
    mixed = recipe.mixed if recipe else None
    if recipe is None or mixed is None:
        return order
    plain = _with(order, recipe.model_copy(update={"mixed": None}))
    compilation = Compilation(plain, line)
    gates = {name: bound.model_dump(mode="json") for name, bound in order.profile.gates.named()}
    key = digest_of(
        {
            "stage": "mixed",
            "program": compilation.quantize_key,
            "mixed": mixed.model_dump(mode="json"),
            "gates": {name: gates.get(name) for name in ("accuracy_drop", "agreement")},
            "cpu": order.target.emulation.qemu_cpu if order.target.emulation else machine(),
            "versions": tool_versions(order.backend.packages),
        }
    )

    def make(out: Path) -> None:
        found, tried = _accurate(compilation, mixed, order.profile.gates)
        if mixed.quicker:
            found, measured = _quickest(plain, found, compilation, line)
            tried += measured
        (out / SETTLED).write_text(found.model_dump_json(exclude_unset=True))
        (out / TRIED).write_text(json.dumps(tried, indent=2))

    entry = line.entry(MIXED, key, make)
    return _with(order, Quantize.model_validate_json((entry / SETTLED).read_bytes()))


def _with(order: BuildRequest, recipe: Quantize) -> BuildRequest:
    return replace(order, profile=order.profile.model_copy(update={"quantize": recipe}))


def searched(compilation: Compilation, limits: Limits, evaluations: int) -> MixedPrecisionResult:
    """The recipe with the fewest layers in float that keeps the limits on held-out calibration data."""
    from edgekit.frontend.load import batches
    from edgekit.frontend.store import load_program
    from edgekit.passes.sensitivity.mixed_precision import Judge, held_out, search

    order, data = compilation.order, compilation.calibration.samples
    recipe, backend, project = order.profile.quantize, order.backend(), order.project
    assert recipe  # whoever asks has one
    fit, judging = (data.take(indices) for indices in held_out(data.labels))
    classes = judging.labels.ndim == 1 and judging.labels.dtype.kind == "i"
    program = load_program(compilation.captured)
    judge = Judge(program, batches(judging, project), judging.labels if classes else None)
    quantization = lambda one: backend.quantization(one, order.runtime)  # noqa: E731
    return search(program, recipe, quantization, batches(fit, project), judge, limits, evaluations)


def _accurate(compilation: Compilation, asked: Mixed, gates: Gates) -> tuple[Quantize, list[dict[str, object]]]:
    """What the gates of accuracy need in float, and what was tried."""
    from edgekit.passes.sensitivity.mixed_precision import Limits

    agreement, drop = gates.agreement, gates.accuracy_drop
    limits = Limits(
        agreement=agreement.min if agreement and agreement.min is not None else 0.0,
        accuracy_drop=drop.max if drop and drop.max is not None else 1.0,
    )
    found = searched(compilation, limits, asked.evaluations)
    tried: list[dict[str, object]] = [
        {
            "float32": list(trial.kept),
            "agreement": trial.score.agreement,
            "sqnr_db": trial.score.sqnr_db,
            "met": trial.met,
        }
        for trial in found.tried
    ]
    return found.recipe, tried


def _quickest(
    order: BuildRequest, recipe: Quantize, compilation: Compilation, line: StageRunner
) -> tuple[Quantize, list[dict[str, object]]]:
    """The recipe, or one that also leaves a kind of layer in float, if that takes less where it can be measured."""
    from edgekit.frontend.store import load_program
    from edgekit.passes.activations import float_candidates
    from edgekit.passes.sensitivity.mixed_precision import with_float

    left = float_candidates(load_program(compilation.captured), recipe.kept)
    candidates = [recipe, *(with_float(recipe, modules) for modules in left)]
    if len(candidates) == 1:
        return recipe, []
    with _measured(order) as cost:
        costs = cost([Compilation(_with(order, one), StageRunner(line.cache, line.watch)) for one in candidates])
    least = min(range(len(costs)), key=costs.__getitem__)
    chosen = least if costs[least] < GAIN * costs[0] else 0
    tried = [
        {"float32": list(one.kept), "cost": taken / costs[0], "chosen": number == chosen}
        for number, (one, taken) in enumerate(zip(candidates, costs, strict=True))
    ]
    return candidates[chosen], tried


@contextmanager
def _measured(order: BuildRequest) -> Iterator[Callable[[Sequence[Compilation]], list[float]]]:
    """Costs of candidates: nanoseconds on this machine where it is of the target's kind, else emulated instructions."""
    if machine() == order.target.cpu.arch:
        yield _times
        return
    # One key for all: a device believes the first that it meets, and no other.
    key = SigningKey.generate()
    with Emulated(f"emulated://{order.target.id}", order.target) as device:

        def counts(candidates: Sequence[Compilation]) -> list[float]:
            found = []
            for one in candidates:
                with _packed(one, key) as bundle, on_trial(flash(bundle, device)) as installation:
                    taken = Installed(installation).measure(one.golden.samples, PROBE).instructions
                found.append(float(taken or 0))
            return found

        yield counts


def _times(candidates: Sequence[Compilation]) -> list[float]:
    """The least nanoseconds of an inference of each."""
    with ExitStack() as stack:
        endpoints = []
        for one in candidates:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "bundle"
            stack.enter_context(_packed(one, SigningKey.generate())).extract(folder)
            endpoints.append(stack.enter_context(unpacked(folder)))
        samples = candidates[0].golden.samples
        rounds = [[one.measure(samples, PROBE).latency_ns.min() for one in endpoints] for _ in range(ROUNDS)]
    return [float(min(taken)) for taken in zip(*rounds, strict=True)]


@contextmanager
def _packed(compilation: Compilation, key: SigningKey) -> Iterator[Bundle]:
    """A bundle only to be measured, signed with a key that nobody keeps."""
    with tempfile.TemporaryDirectory() as scratch, compilation.lowered() as finished:
        yield pack_bundle(compilation, finished(), key, Path(scratch))
