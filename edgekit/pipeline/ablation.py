"""ablate(): build the recipe of a profile without each of its steps, and measure all on the same samples."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from edgekit.bundle.archive import Bundle
from edgekit.bundle.signing import SigningKey
from edgekit.cache import digest_of, file_digest, source_version
from edgekit.devices.transport import Transport
from edgekit.errors import EdgekitError, Misfit, StorageError
from edgekit.ir.measurement import Measurement
from edgekit.measure import store
from edgekit.measure.device.installed_bundle import Installed
from edgekit.measure.device.scratch_install import scratch_install
from edgekit.parity.ablation import Ablated, Ablation, RecipeCost, accuracy_effect, metric_of
from edgekit.parity.compare import compare, summarize
from edgekit.parity.comparison import Comparison
from edgekit.pipeline.build import ENOUGH, compilation_of, eager_answers, evaluation
from edgekit.pipeline.flash import choose_runtime
from edgekit.pipeline.host_answers import verify_stage
from edgekit.pipeline.request import BuildRequest, check_request
from edgekit.pipeline.run import EMULATED, Trial
from edgekit.pipeline.stages.compile import Compilation, Compiled
from edgekit.pipeline.stages.evaluated_orders import evaluated_orders
from edgekit.pipeline.stages.inputs import CachedData
from edgekit.pipeline.stages.pack import pack_bundle
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.specs.recipe_steps import RecipeStep, recipe_steps
from edgekit.tasks.registry import task_of

Keep = Callable[[Ablation], None]
"""Called with all that is known, after the whole recipe and after each row."""


@dataclass(frozen=True)
class Measured:
    """A recipe that was built: its compilation, its answers, its cost, and the stages that were run for it."""

    compilation: Compilation
    reference: Measurement
    candidate: Measurement
    cost: RecipeCost
    digest: str
    """Digest of the files of the artifact."""
    line: StageRunner

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences on how its recipe was settled."""
        return (*self.compilation.remarks, *self.compilation.compressed.remarks)


@dataclass(frozen=True)
class AblationSession:
    """Ablation of one request, by one cache; a device, if any, is only started for what was not counted before."""

    request: BuildRequest
    line: StageRunner
    trial: Trial | None = None
    samples: int | None = None
    _open: list[Transport] = field(default_factory=list, repr=False, compare=False)
    _stack: ExitStack = field(default_factory=ExitStack, repr=False, compare=False)

    def ablate(self, keep: Keep = lambda ablation: None) -> Ablation:
        """Measure the whole recipe, then each step taken out. `keep` is called after every row: what is done stays.

        Raises Misfit if the profile has no step, and what a build of the whole recipe raises; a step without which
        nothing can be built is a row with the reason. StorageError and signals end it.
        """
        steps = recipe_steps(self.request.profile)
        if not steps:
            raise Misfit(
                f"profile '{self.request.profile.id}' has no step to take out: it is the float model",
                hint="edgekit profiles lists those that compress: --profile ID",
            )
        with self._stack:
            whole = self._measure(self.request)
            ablation = self._begun(whole, steps)
            keep(ablation)
            for step in steps:
                row = self._row(step, whole)
                ablation = ablation.model_copy(
                    update={
                        "rows": (*ablation.rows, row),
                        "missing": ablation.missing[1:],
                        "stages_made": ablation.stages_made + row.stages_made,
                        "seconds": ablation.seconds + row.seconds,
                    }
                )
                keep(ablation)
        return ablation

    @cached_property
    def data(self) -> CachedData:
        """Evaluation samples, the same for every row."""
        return evaluation(self.request, self.line, self.samples or ENOUGH)

    def _begun(self, whole: Measured, steps: tuple[RecipeStep, ...]) -> Ablation:
        request, compared = self.request, self._compared(whole, whole.reference, whole.candidate)
        made, seconds = _work(whole.line)
        return Ablation(
            project=request.project.name,
            target=request.target.id,
            backend=request.runtime.backend,
            profile=request.profile.id,
            device=self.trial.device if self.trial else None,
            samples=compared.samples,
            metric=compared.metric.name if compared.scores else None,
            unit=compared.metric.unit,
            higher_is_better=compared.metric.higher_is_better,
            reference=compared.reference.score.value if compared.reference.score else None,
            whole=whole.cost,
            remarks=whole.remarks,
            missing=tuple(step.name for step in steps),
            stages_made=made,
            seconds=seconds,
        )

    def _row(self, step: RecipeStep, whole: Measured) -> Ablated:
        line = StageRunner(self.line.cache, self.line.watch)
        request = replace(self.request, profile=step.without)
        try:
            check_request(request)
            without = self._measure(request, line)
        except StorageError:
            raise  # no row could be made
        except EdgekitError as error:
            made, seconds = _work(line)
            return Ablated(
                step=step.name,
                change=step.change,
                reason=f"error {error.code}: {error}",
                stages_made=made,
                seconds=seconds,
            )
        made, seconds = _work(line)
        same_file = without.digest == whole.digest
        return Ablated(
            step=step.name,
            change=step.change,
            cost=without.cost,
            accuracy=accuracy_effect(self._compared(without, whole.candidate, without.candidate), same_file),
            same_file=same_file,
            remarks=without.remarks,
            stages_made=made,
            seconds=seconds,
        )

    def _measure(self, request: BuildRequest, line: StageRunner | None = None) -> Measured:
        """Build the recipe of a request as `build` does, and measure it. Raises what its stages raise."""
        line = line or StageRunner(self.line.cache, self.line.watch)
        data = replace(self.data, line=line)
        compilation = compilation_of(request, line, data)
        with compilation.lowered() as finished:
            reference = eager_answers(compilation, data)
            compilation.network.release()
            compiled = finished()
        candidate = self._answers(compilation, compiled, data)
        compared = self._compared_on(compilation, data, reference, candidate)
        instructions, latency_ns = self._speed(compilation, compiled, data)
        artifact = compiled.artifact
        cost = RecipeCost(
            metric=metric_of(compared),
            agreement=compared.agreement,
            sqnr_db=compared.sqnr_db if compared.sqnr_db != float("inf") else None,
            size_bytes=artifact.size_bytes,
            macs=artifact.macs,
            integer_macs=round(artifact.macs * artifact.integer_macs),
            instructions=instructions,
            latency_p50_ns=latency_ns,
        )
        digest = digest_of([file_digest(path) for path in artifact.files])
        return Measured(compilation, reference, candidate, cost, digest, line)

    def _answers(self, compilation: Compilation, compiled: Compiled, data: CachedData) -> Measurement:
        """Answers of the artifact on this host; a bundle is only packed where they are not in the cache."""
        stage = verify_stage(compilation, data)
        entry = compilation.line.find(stage.name, stage.key)
        if entry is None:
            with _packed(compilation, compiled) as bundle:
                entry = stage.run(compilation.line, lambda: bundle)
        return store.load(entry / "measurement")

    def _compared(self, recipe: Measured, reference: Measurement, candidate: Measurement) -> Comparison:
        return self._compared_on(recipe.compilation, self.data, reference, candidate)

    def _compared_on(
        self, compilation: Compilation, data: CachedData, reference: Measurement, candidate: Measurement
    ) -> Comparison:
        orders = evaluated_orders(compilation, reference, candidate, data.samples)
        return compare(reference, candidate, task_of(self.request.project), orders=orders)

    def _speed(self, compilation: Compilation, compiled: Compiled, data: CachedData) -> tuple[int | None, int | None]:
        """Instructions of one inference, and its median time in ns, on the device; None for what it does not tell.

        A count is kept in the cache, as it repeats to the instruction; a time is not.
        """
        trial, line = self.trial, compilation.line
        if trial is None:
            return None, None
        if not trial.device.startswith(EMULATED):
            return None, summarize(self._probe(trial, compilation, compiled, data)).p50_ns
        target = compilation.request.target
        parts = {
            "stage": "instructions",
            "artifact": compilation.lower.key,
            "core": target.emulation.qemu_cpu if target.emulation else None,
            "device": trial.device,
            "runtime": trial.runtime or target.deploy.runtime,
            "threads": compilation.request.profile.probe.threads,
            "edgekit": source_version(),
        }

        def count(out: Path) -> None:
            counted = self._probe(trial, compilation, compiled, compilation.golden).instructions
            (out / "instructions.json").write_text(json.dumps(counted))

        entry = line.entry("instructions", digest_of(parts), count)
        counted: int | None = json.loads((entry / "instructions.json").read_text())
        return counted, None

    def _probe(self, trial: Trial, compilation: Compilation, compiled: Compiled, data: CachedData) -> Measurement:
        """Measure the speed of an artifact on the device, beside its slots: nothing is served or taken back."""
        request = compilation.request
        device = self._device(trial, request)
        with tempfile.TemporaryDirectory() as scratch, _packed(compilation, compiled) as bundle:
            folder, manifest = Path(scratch) / "bundle", bundle.manifest
            bundle.extract(folder)
            runtime = choose_runtime(device, request.target.deploy.runtime, trial.runtime)
            with scratch_install(folder, manifest.format, device, runtime, manifest.versions) as installation:
                return Installed(installation).speed(data.samples, request.profile.probe)

    def _device(self, trial: Trial, request: BuildRequest) -> Transport:
        if not self._open:
            self._open.append(self._stack.enter_context(trial.reached(request)))
            self._stack.callback(self._open.clear)
        return self._open[0]


def _work(line: StageRunner) -> tuple[int, float]:
    """Number of the stages that were run, and their seconds."""
    made = [record for record in line.records if not record.cached]
    return len(made), sum(record.seconds for record in made)


@contextmanager
def _packed(compilation: Compilation, compiled: Compiled) -> Iterator[Bundle]:
    """Bundle for a measurement only, signed with a key that is thrown away."""
    with tempfile.TemporaryDirectory() as scratch:
        yield pack_bundle(compilation, compiled, SigningKey.generate(), Path(scratch))
