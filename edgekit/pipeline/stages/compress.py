"""Model → Model: the project's network, pruned and trained again as the profile says."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cache import digest_of, storage_errors, tool_versions
from edgekit.errors import DataError
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.inputs import CachedData, Network
from edgekit.pipeline.stages.stage import Stage
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.samples import Samples
from edgekit.specs.compression import Prune, Recover
from edgekit.tasks.label_arrays import unlabelled
from edgekit.tasks.registry import task_of

if TYPE_CHECKING:
    from edgekit.frontend.load import Model

PACKAGES = ("torch", "torchao", "torch-pruning", "safetensors")
CALIBRATION = 512
"""Number of calibration samples for pruning and for quantization-aware training (QAT)."""


@dataclass(frozen=True)
class ModelStage(Stage[[]]):
    """A stage from Model to Model; its result is a folder that `load_model` reads."""

    reads: tuple[CachedData, ...] = ()


@dataclass(frozen=True)
class Compressed:
    """The network of a request as it is captured; the project's own where the profile neither prunes nor trains."""

    request: BuildRequest
    line: StageRunner
    network: Network

    @cached_property
    def stages(self) -> tuple[ModelStage, ...]:
        """The stages that the profile asks for, in order; each takes the result of the one before."""
        stages = (self._pruning, self._recovery, self._quantization_aware_training)
        return tuple(stage for stage in stages if stage)

    @property
    def key(self) -> str:
        """Key that changes with the network, the recipes, and the data that the stages read."""
        return self._key_after(self.stages[-1] if self.stages else None)

    @property
    def known(self) -> bool:
        """True if the key can be told without loading the model or reading data."""
        return self.network.known and all(data.known for data in self.data)

    @property
    def data(self) -> tuple[CachedData, ...]:
        """Data sets that the stages read, each once."""
        return tuple({data.role: data for stage in self.stages for data in stage.reads}.values())

    @property
    def trains(self) -> bool:
        """True if the network is trained again. Raises DataError if it must be and there is nothing to train on."""
        recipe, project = self.request.profile.recover, self.request.project
        if recipe is None:
            return False
        if project.data.training is None and recipe.required:
            raise DataError(
                f"profile '{self.request.profile.id}' trains the network again, and project '{project.name}' states no "
                "training data",
                hint="add training = { … } under [data], or --set profile.recover.required=false to go without",
            )
        # Neither on sequences nor on padded samples; a profile that requires it was refused.
        return project.data.training is not None and not project.state and not project.lengths

    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentence for the report if the network was not trained again though the profile asks for it."""
        if self.request.profile.recover is None or self.trains:
            return ()
        project = self.request.project
        why = "the model has state" if project.state else "there is no training data"
        if project.lengths:
            why = f"the length '{project.lengths[0]}' is free"
        return (f"The profile trains the network again; {why}, so it was not.",)

    @cached_property
    def training(self) -> CachedData:
        return CachedData(self.request.project, self.line, "training", None)

    @cached_property
    def calibration(self) -> CachedData:
        """Samples for the gradients that rank channels, and for the ranges of QAT."""
        return CachedData(self.request.project, self.line, "calibration", CALIBRATION)

    @cached_property
    def model(self) -> Model:
        return self._model_after(self.stages[-1] if self.stages else None)

    @cached_property
    def _pruning(self) -> ModelStage | None:
        recipe = self.request.profile.prune
        if recipe is None:
            return None
        reads = (self.calibration,) if recipe.importance == "taylor" else ()

        def make(out: Path) -> None:
            from edgekit.frontend.store import save_model
            from edgekit.passes.pruning.prune import prune

            samples = self._trainable(self.calibration) if reads else None
            save_model(prune(self.network.model, recipe, samples), out)

        return ModelStage("prune", lambda: self._key("prune", None, recipe, reads), make, reads)

    @cached_property
    def _recovery(self) -> ModelStage | None:
        recipe, before = self.request.profile.recover, self._pruning
        if recipe is None or not self.trains:
            return None
        name, reads = "recover", (self.training,)

        def compute_key() -> str:
            return self._key(name, before, recipe, reads)

        def make(out: Path) -> None:
            from edgekit.frontend.store import save_model
            from edgekit.passes.recovery.recover import recover

            tell = self.line.teller(name)
            with self._checkpoints(compute_key()) as folder:
                model, original = self._model_after(before), self.network.model
                save_model(recover(model, original, recipe, self._trainable(self.training), folder, tell), out)
                shutil.rmtree(folder, ignore_errors=True)

        return ModelStage(name, compute_key, make, reads)

    @cached_property
    def _quantization_aware_training(self) -> ModelStage | None:
        recover, before = self.request.profile.recover, self._recovery
        if recover is None or before is None or recover.quantization_aware_epochs == 0:
            return None
        name, reads = "train quantized", (self.training, self.calibration)
        request, recipe = self.request, self.request.profile.quantize
        options: dict[str, Any] = {}
        if recipe:
            options = {"quantize": recipe.model_dump(mode="json"), "runtime": request.runtime.model_dump(mode="json")}

        def compute_key() -> str:
            return self._key(name, before, recover, reads, options)

        def make(out: Path) -> None:
            from edgekit.frontend.load import batches
            from edgekit.frontend.store import save_model
            from edgekit.passes.recovery.qat import train_quantized

            assert recipe  # a profile that trains quantized quantizes
            tell, quantization = self.line.teller(name), request.backend().quantization(recipe, request.runtime)
            training, examples = self._trainable(self.training), batches(self.calibration.samples, request.project)
            with self._checkpoints(compute_key()) as folder:
                model, original = self._model_after(before), self.network.model
                trained = train_quantized(model, original, quantization, recover, training, examples, folder, tell)
                save_model(trained, out)
                shutil.rmtree(folder, ignore_errors=True)

        return ModelStage(name, compute_key, make, reads)

    def _trainable(self, data: CachedData) -> Samples:
        """Samples to train on: without labels that no loss is made of, such as boxes; distillation needs none."""
        samples = data.samples
        if task_of(self.request.project).trains_on_labels:
            return samples
        return replace(samples, labels=unlabelled(len(samples)))

    def _key(
        self,
        name: str,
        before: ModelStage | None,
        recipe: Prune | Recover,
        reads: tuple[CachedData, ...],
        options: dict[str, Any] | None = None,
    ) -> str:
        """Key of the stage `name` after `before`."""
        parts: dict[str, Any] = {
            "stage": name,
            "model": self._key_after(before),
            "recipe": recipe.model_dump(mode="json"),
            "reads": {data.role: data.key for data in reads},
        }
        return digest_of({**parts, **(options or {}), "versions": tool_versions(PACKAGES)})

    def _key_after(self, stage: ModelStage | None) -> str:
        return stage.key if stage else self.network.key

    def _model_after(self, stage: ModelStage | None) -> Model:
        from edgekit.frontend.store import load_model

        return load_model(self.request.project, stage.run(self.line)) if stage else self.network.model

    @contextlib.contextmanager
    def _checkpoints(self, key: str) -> Iterator[Path]:
        """Folder that training is resumed from; of two builds at once the second waits for the first."""
        folder = self.line.cache.root / "checkpoints" / key
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with folder.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                folder.mkdir(exist_ok=True)
                yield folder
