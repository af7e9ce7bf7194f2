"""Project → Artifact: capture, quantize, lower, each from the cache where nothing that it depends on has changed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.backends.half_range import half_kinds
from edgekit.backends.lowering_process import Lowering
from edgekit.backends.store import load_artifact
from edgekit.cache import tool_versions
from edgekit.errors import MissingExtra
from edgekit.errors.extras import extra_hint
from edgekit.frontend.store import load_history
from edgekit.ir.artifact import Artifact
from edgekit.ir.program import PassRecord
from edgekit.pipeline.model_size import check_memory
from edgekit.pipeline.request import BuildRequest, check_request_size
from edgekit.pipeline.stages.background_thread import threads
from edgekit.pipeline.stages.calibration_limit import calibration_limit
from edgekit.pipeline.stages.compress import Compressed
from edgekit.pipeline.stages.float_size import FloatSize, float_size_stage, is_large
from edgekit.pipeline.stages.inputs import CachedData, Network
from edgekit.pipeline.stages.program_stages import LoweringStage, capture_stage, lowering_stage, quantize_stage
from edgekit.pipeline.stages.stage import Stage
from edgekit.pipeline.stages.stage_runner import StageRunner

if TYPE_CHECKING:
    from edgekit.frontend.load import Model

GOLDEN = 4
"""Number of evaluation samples that a lowering is verified on; the bundle carries them as golden vectors."""
GOLDEN_STEPS = 16
"""Steps of each, if they are sequences: enough for the state to matter, few enough for a self-test."""
HALF_SAMPLES = 32
"""Number of calibration samples on which values that float16 does not hold are looked for."""


@dataclass(frozen=True)
class Compiled:
    """Result of compiling: the artifact, the size in float, golden vectors and the history of passes."""

    artifact: Artifact
    float_size: FloatSize
    """Size of the same program in float32 by the same backend."""
    golden: Path
    """A folder with `inputs/` and `outputs/`."""
    history: tuple[PassRecord, ...]
    key: str


@dataclass(frozen=True)
class Compilation:
    """Compilation of one request. Inputs that the cache makes unnecessary are never loaded."""

    request: BuildRequest
    line: StageRunner
    remarks: tuple[str, ...] = ()
    """Sentences for the report on how its recipe was chosen."""
    _running: list[Lowering] = field(default_factory=list, repr=False, compare=False)
    """The converter's process, while `worker` is open."""

    @cached_property
    def network(self) -> Network:
        return Network(self.request.project, self.line)

    @cached_property
    def compressed(self) -> Compressed:
        return Compressed(self.request, self.line, self.network)

    @cached_property
    def golden(self) -> CachedData:
        steps = GOLDEN_STEPS if self.request.project.state else None
        return CachedData(self.request.project, self.line, "evaluation", GOLDEN, steps)

    @cached_property
    def calibration(self) -> CachedData:
        recipe, project = self.request.profile.quantize, self.request.project
        limit = calibration_limit(recipe, project.inputs) if recipe else None
        return CachedData(project, self.line, "calibration", limit)

    @cached_property
    def half_samples(self) -> CachedData | None:
        """Calibration samples on which values that float16 does not hold are looked for.

        None where no accelerator of the target computes in float16, or the project has no such samples.
        """
        request = self.request
        halved = half_kinds(request.profile.quantize, request.target, request.runtime)
        if not halved or request.project.state or request.project.data.calibration is None:
            return None
        if self.request.calibrated:
            return self.calibration
        return CachedData(request.project, self.line, "calibration", HALF_SAMPLES)

    @property
    def stages(self) -> tuple[Stage[...], ...]:
        """The stages that make its artifacts: a plan tells them, a build runs them, a report records them."""
        captures = (
            (self.capture_original,) if self.capture is self.capture_original else (self.capture_original, self.capture)
        )
        quantized = (self.quantize,) if self.quantize else ()
        return (*self.compressed.stages, *captures, *quantized, *self.lowerings)

    @property
    def lowerings(self) -> tuple[LoweringStage, ...]:
        """The last of the stages, whose results are the artifacts; `lower` is the last of them."""
        if not self.request.profile.compresses:
            return (self.lower,)
        return (self.compute_float_size if self._is_large else self.lower_float, self.lower)

    @property
    def _is_large(self) -> bool:
        """True if the network was captured, and its float file is too large to be made for its size alone."""
        return self.network.known and is_large(self.line.cache.find(self.capture_original.key))

    @cached_property
    def capture_original(self) -> Stage[[]]:
        """The stage that captures the project's own network."""
        name = "capture float32" if self.compressed.stages else "capture"
        return capture_stage(name, lambda: self.network.key, lambda: self._fitting_model, self.golden)

    @property
    def _fitting_model(self) -> Model:
        """The project's network. Raises Misfit if the target's memory or the file format cannot hold it."""
        model = self.network.model
        check_request_size(sum(value.numel() for value in model.module.parameters()), self.request)
        return model

    @cached_property
    def capture(self) -> Stage[[]]:
        """The stage that captures what is compressed; the same as `capture_original` where nothing is."""
        if not self.compressed.stages:
            return self.capture_original
        return capture_stage("capture", lambda: self.compressed.key, lambda: self.compressed.model, self.golden)

    @cached_property
    def quantize(self) -> Stage[[]] | None:
        """The stage that quantizes the captured program, or rounds its weights to int4 by calibration data.

        None where the program is lowered as it was captured.
        """
        recipe = self.request.recipe_before_lowering or self.request.rounding_recipe
        if recipe is None:
            return None
        samples = self.calibration if recipe.calibrated else None
        return quantize_stage(
            self.request, recipe, self.capture, lambda: self.captured, samples, self.golden, self.worker
        )

    @cached_property
    def lower_float(self) -> LoweringStage:
        """The stage that makes the float artifact, which sizes are compared with."""
        return lowering_stage(
            "lower float32", self.request, None, lambda: self.capture_original.key, lambda: self.original, self.golden
        )

    @cached_property
    def compute_float_size(self) -> LoweringStage:
        """The stage that computes what the float file of a large model would have."""
        return float_size_stage(lambda: self.capture_original.key, lambda: self.original)

    @cached_property
    def lower(self) -> LoweringStage:
        """The stage that makes the artifact."""
        return lowering_stage(
            "lower",
            self.request,
            self.request.recipe_at_lowering,
            lambda: self.program_key,
            lambda: self.quantized,
            self.golden,
            (lambda: self.captured) if self.quantize else None,
            self.half_samples,
        )

    @property
    def program_key(self) -> str:
        """Key of the program that is lowered: the quantized one, or the captured one."""
        return (self.quantize or self.capture).key

    @property
    def data(self) -> tuple[CachedData, ...]:
        """Data sets that its stages read."""
        ranges = (self.calibration,) if self.quantize and self.request.calibrated else ()
        half = (self.half_samples,) if self.half_samples and self.half_samples not in ranges else ()
        return (*self.compressed.data, *ranges, self.golden, *half)

    @property
    def shaping_data(self) -> tuple[CachedData, ...]:
        """Data sets that the artifact's numbers depend on, in training, pruning or calibration."""
        return (*self.compressed.data, *((self.calibration,) if self.request.calibrated else ()))

    @contextlib.contextmanager
    def lowered(self) -> Iterator[Callable[[], Compiled]]:
        """Start compiling. Yields a function that waits for the result; leaving early stops the converter."""
        with threads(1) as pool, contextlib.ExitStack() as stack:
            # Inputs that were never read were never lowered: the worker may import while they are read.
            prestarted = None if self.known else stack.enter_context(self.worker())
            entries = self._reused()
            if entries:
                yield lambda: self._compiled(entries)
                return
            worker = prestarted or stack.enter_context(self.worker())
            if self.request.profile.compresses:
                _ = self.original  # which tells whether it is large
            pending = [self._submit(pool, worker, stage) for stage in self.lowerings]
            yield lambda: self._compiled([future.result() for future in pending])

    @property
    def known(self) -> bool:
        """True if the keys can be told without loading the model or reading data."""
        data = [self.golden, self.calibration] if self.request.calibrated else [self.golden]
        data += [self.half_samples] if self.half_samples else []
        return self.compressed.known and all(samples.known for samples in data)

    @contextlib.contextmanager
    def worker(self) -> Iterator[Lowering]:
        """The converter's process, the same one in blocks within each other. Raises MissingExtra."""
        if self._running:
            yield self._running[0]
            return
        self.require_packages()
        with Lowering(self.request.runtime.backend) as worker:
            self._running.append(worker)
            try:
                yield worker
            finally:
                self._running.clear()

    def require_packages(self) -> None:
        """Raise MissingExtra if a package that the backend needs is not installed."""
        versions = tool_versions(self.request.backend.packages)
        missing = next((name for name, version in versions.items() if version == "none"), None)
        if missing:
            raise MissingExtra(
                f"backend '{self.request.runtime.backend}' needs '{missing}', which is not installed",
                hint=extra_hint("build"),
            )

    def _reused(self) -> list[Path]:
        """Folders of every lowering, if all are in the cache; then all that led to them is recorded as reused too."""
        # All keys, in the order of the stages: a key may read data, and a report records that in the order of a plan.
        keys = {stage.name: stage.key for stage in self.stages}
        entries = [self.line.cache.find(keys[stage.name]) for stage in self.lowerings]
        folders = [entry for entry in entries if entry]
        if len(folders) < len(entries):
            return []
        for stage in self.stages[: -len(folders)]:
            self.line.find(stage.name, keys[stage.name])
        for stage in self.lowerings:
            self.line.reused(stage.name)
        return folders

    def _submit(self, pool: ThreadPoolExecutor, worker: Lowering, stage: LoweringStage) -> Future[Path]:
        """Make the program here, then lower it there while this process goes on."""
        return pool.submit(stage.run, self.line, worker, stage.program())

    @cached_property
    def original(self) -> Path:
        """Folder of the project's own network, captured."""
        return self.capture_original.run(self.line)

    @cached_property
    def captured(self) -> Path:
        """Folder of the captured program."""
        return self.original if self.capture is self.capture_original else self.capture.run(self.line)

    @cached_property
    def quantized(self) -> Path:
        """Folder of the quantized program; of the captured one where nothing is quantized before it is lowered."""
        return self.quantize.run(self.line) if self.quantize else self.captured

    def _compiled(self, entries: list[Path]) -> Compiled:
        float_entry, entry = entries[0], entries[-1]
        artifact = load_artifact(entry)
        # The program may have been captured for a larger target.
        request = self.request
        check_memory(artifact.size_bytes, f"the files of '{request.name}'", request.target, request.project.state)
        return Compiled(artifact, FloatSize.read(float_entry), entry / "golden", load_history(entry), entry.name)
