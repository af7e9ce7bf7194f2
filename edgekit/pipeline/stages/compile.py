"""Project → Artifact: capture, quantize, lower, each from the cache where nothing that it depends on has changed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.backends.lowering_process import Lowering
from edgekit.backends.store import load_artifact
from edgekit.cache import digest_of, tool_versions
from edgekit.errors import MissingExtra
from edgekit.frontend.store import load_history
from edgekit.ir.artifact import Artifact
from edgekit.ir.program import PassRecord
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.background import threads
from edgekit.pipeline.stages.compress import Compressed
from edgekit.pipeline.stages.inputs import CachedData, Network
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.specs.compression import Quantize

if TYPE_CHECKING:
    from edgekit.frontend.load import Model
    from edgekit.ir.program import Program
    from edgekit.passes.base import Sample

CAPTURE, CAPTURE_FLOAT, QUANTIZE = "capture", "capture float32", "quantize"
LOWER, LOWER_FLOAT = "lower", "lower float32"
GOLDEN = 4
"""How many evaluation samples a lowering is verified on; the bundle carries them as golden vectors."""


@dataclass(frozen=True)
class Compiled:
    """What compiling left behind."""

    artifact: Artifact
    float_artifact: Artifact
    """The same program in float32 by the same backend: what sizes are compared with."""
    golden: Path
    """A folder with `inputs/` and `outputs/`."""
    history: tuple[PassRecord, ...]
    key: str


@dataclass(frozen=True)
class Compilation:
    """One order on its way through the compiler. What a cached stage makes unnecessary is never loaded."""

    order: BuildRequest
    line: StageRunner

    @cached_property
    def network(self) -> Network:
        return Network(self.order.project, self.line)

    @cached_property
    def compressed(self) -> Compressed:
        return Compressed(self.order, self.line, self.network)

    @cached_property
    def golden(self) -> CachedData:
        return CachedData(self.order.project, self.line, "evaluation", GOLDEN)

    @cached_property
    def calibration(self) -> CachedData:
        recipe = self.order.profile.quantize
        return CachedData(self.order.project, self.line, "calibration", recipe.samples if recipe else None)

    @property
    def early(self) -> Quantize | None:
        """The recipe, if the program is quantized before it is lowered."""
        recipe = self.order.profile.quantize
        return None if recipe is None or recipe.precision in self.order.backend.at_lowering else recipe

    @property
    def late(self) -> Quantize | None:
        """The recipe, if the backend carries it out as it lowers."""
        return None if self.early else self.order.profile.quantize

    @property
    def calibrated(self) -> bool:
        """Whether a calibration set has a part in quantization."""
        recipe = self.order.profile.quantize
        return recipe is not None and recipe.calibrated

    @cached_property
    def capture_key(self) -> str:
        """Of what is compressed."""
        return _capture_key(self.compressed.key)

    @cached_property
    def original_key(self) -> str:
        """Of the project's own network, captured."""
        return _capture_key(self.network.key)

    @cached_property
    def quantize_key(self) -> str:
        """The key of what is lowered: the captured program, or the quantized one."""
        recipe, runtime = self.early, self.order.runtime
        if recipe is None:
            return self.capture_key
        return digest_of(
            {
                "stage": "quantize",
                "program": self.capture_key,
                "samples": self.calibration.key if recipe.calibrated else None,
                "checks": self.golden.key,
                "recipe": recipe.model_dump(mode="json"),
                "runtime": runtime.model_dump(mode="json"),
                "versions": tool_versions(self.order.backend.packages),
            }
        )

    @cached_property
    def float_key(self) -> str:
        """The key of the float artifact that sizes are compared with."""
        return self.lower_key(self.original_key, None)

    @cached_property
    def artifact_key(self) -> str:
        return self.lower_key(self.quantize_key, self.late)

    def lower_key(self, program_key: str, recipe: Quantize | None) -> str:
        order = self.order
        return digest_of(
            {
                "stage": "lower",
                "program": program_key,
                "checks": self.golden.key,
                "recipe": recipe.model_dump(mode="json") if recipe else None,
                "runtime": order.runtime.model_dump(mode="json"),
                "arch": order.target.cpu.arch,
                "versions": tool_versions(order.backend.packages),
            }
        )

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of the stages that make its artifacts, as a plan tells them and a build records them."""
        compressed, quantized = self.compressed.stages, (QUANTIZE,) if self.early else ()
        captures = (CAPTURE_FLOAT, CAPTURE) if compressed else (CAPTURE,)
        return (*compressed, *captures, *quantized, *self.lowerings)

    @property
    def lowerings(self) -> tuple[str, ...]:
        """Those of them whose results are the artifacts."""
        return (LOWER_FLOAT, LOWER) if self.order.profile.compresses else (LOWER,)

    @cached_property
    def keys(self) -> dict[str, str]:
        """The key of each stage's result."""
        every = {
            **self.compressed.keys,
            CAPTURE_FLOAT: self.original_key,
            CAPTURE: self.capture_key,
            QUANTIZE: self.quantize_key,
            LOWER_FLOAT: self.float_key,
            LOWER: self.artifact_key,
        }
        return {name: every[name] for name in self.stages}

    @property
    def data(self) -> tuple[CachedData, ...]:
        """The samples that its stages read."""
        ranges = (self.calibration,) if self.early and self.calibrated else ()
        return (*self.compressed.data, *ranges, self.golden)

    @contextlib.contextmanager
    def lowered(self) -> Iterator[Callable[[], Compiled]]:
        """Start compiling; what is yielded waits for the end of it. Leaving early stops the converter."""
        with threads(1) as pool, contextlib.ExitStack() as stack:
            # What was never read was never lowered: the worker may import while the inputs are read.
            early = None if self.known else stack.enter_context(self._worker())
            entries = self._reused()
            if entries:
                yield lambda: self._compiled(entries)
                return
            worker = early or stack.enter_context(self._worker())
            pending = [self._submit(pool, worker, name) for name in self.lowerings]
            yield lambda: self._compiled([future.result() for future in pending])

    @property
    def known(self) -> bool:
        """Whether the keys can be told without loading the model or reading data."""
        data = [self.golden, self.calibration] if self.calibrated else [self.golden]
        return self.compressed.known and all(samples.known for samples in data)

    def _worker(self) -> Lowering:
        self.require_packages()
        return Lowering(self.order.runtime.backend)

    def require_packages(self) -> None:
        """Raise MissingExtra if a package that the backend needs is not installed."""
        versions = tool_versions(self.order.backend.packages)
        missing = next((name for name, version in versions.items() if version == "none"), None)
        if missing:
            raise MissingExtra(
                f"backend '{self.order.runtime.backend}' needs '{missing}', which is not installed",
                hint="pip install torch==2.13.0 && pip install 'edgekit[build]'",
            )

    def _reused(self) -> list[Path]:
        """Every lowering, if all are in the cache; then all that led to them is recorded as reused too."""
        found = [self.line.cache.find(self.keys[name]) for name in self.lowerings]
        entries = [entry for entry in found if entry]
        if len(entries) < len(found):
            return []
        for name in self.stages[: -len(entries)]:
            self.line.find(name, self.keys[name])
        for name in self.lowerings:
            self.line.reused(name)
        return entries

    def _submit(self, pool: ThreadPoolExecutor, worker: Lowering, name: str) -> Future[Path]:
        """Make the program here, then lower it there while this process goes on."""
        program, recipe = (self.original, None) if name == LOWER_FLOAT else (self.quantized, self.late)
        order, checks = self.order, self.golden.folder

        def make(out: Path) -> None:
            worker.lower(program, checks, order.target, order.runtime, out, recipe)

        return pool.submit(self.line.entry, name, self.keys[name], make)

    @cached_property
    def original(self) -> Path:
        """The folder of the project's own network, captured."""
        name = CAPTURE_FLOAT if self.compressed.stages else CAPTURE
        return self._captured(name, lambda: self.network.model)

    @cached_property
    def captured(self) -> Path:
        """The captured program's folder."""
        if not self.compressed.stages:
            return self.original
        return self._captured(CAPTURE, lambda: self.compressed.model)

    def _captured(self, name: str, model: Callable[[], Model]) -> Path:
        def make(out: Path) -> None:
            from edgekit.frontend.capture import capture
            from edgekit.frontend.store import save_program

            save_program(capture(model()), out)

        return self.line.entry(name, self.keys[name], make)

    @cached_property
    def quantized(self) -> Path:
        """The quantized program's folder; the captured one's where nothing is quantized before it is lowered."""
        recipe = self.early
        if recipe is None:
            return self.captured

        def make(out: Path) -> None:
            from edgekit.frontend.store import load_program, save_program

            save_program(self._quantize(load_program(self.captured), recipe), out)

        return self.line.entry(QUANTIZE, self.quantize_key, make)

    def _quantize(self, program: Program, recipe: Quantize) -> Program:
        from edgekit.passes.quantization.quantize import quantize

        backend, runtime, checks = self.order.backend(), self.order.runtime, self._tensors(self.golden)
        # Without ranges to find, one sample is run only to trace the program again.
        samples = self._tensors(self.calibration) if recipe.calibrated else checks[:1]
        return quantize(program, recipe, lambda asked: backend.quantization(asked, runtime), samples, checks)

    def _tensors(self, data: CachedData) -> list[Sample]:
        from edgekit.frontend.load import batches

        return batches(data.samples, self.order.project)

    def _compiled(self, entries: list[Path]) -> Compiled:
        float_entry, entry = entries[0], entries[-1]
        return Compiled(
            load_artifact(entry), load_artifact(float_entry), entry / "golden", load_history(entry), entry.name
        )


def _capture_key(model: str) -> str:
    return digest_of({"stage": "capture", "model": model, "versions": tool_versions(("torch",))})
