"""Model → Model: the project's network, pruned and trained again as the profile says."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgekit.cache import digest_of, storage_errors, tool_versions
from edgekit.errors import DataError
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.inputs import CachedData, Network
from edgekit.pipeline.stages.stage_runner import StageRunner

if TYPE_CHECKING:
    from edgekit.frontend.load import Model

PACKAGES = ("torch", "torchao", "torch-pruning", "safetensors")
AWARE = "train quantized"
"""Quantization-aware training."""
CALIBRATION = 512
"""Samples that pruning and quantization-aware training look at."""


@dataclass(frozen=True)
class Compressed:
    """The network of an order as it is captured; the project's own where the profile neither prunes nor trains."""

    order: BuildRequest
    line: StageRunner
    network: Network

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of those that the profile asks for."""
        profile = self.order.profile
        aware = self.trains and profile.recover is not None and profile.recover.quantization_aware_epochs > 0
        asked = (("prune", profile.prune is not None), ("recover", self.trains), (AWARE, aware))
        return tuple(name for name, wanted in asked if wanted)

    @property
    def key(self) -> str:
        """Changes with the network, the recipes, and the data they take."""
        return self.keys[self.stages[-1]] if self.stages else self.network.key

    @property
    def known(self) -> bool:
        """Whether the key can be told without loading the model or reading data."""
        return self.network.known and all(data.known for data in self.data)

    @property
    def data(self) -> tuple[CachedData, ...]:
        """What the stages read."""
        return tuple({data.role: data for name in self.stages for data in self._reads(name)}.values())

    def _reads(self, name: str) -> tuple[CachedData, ...]:
        looks = self.order.profile.prune is not None and self.order.profile.prune.importance == "taylor"
        if name == "prune":
            return (self.calibration,) if looks else ()
        return (self.training,) if name == "recover" else (self.training, self.calibration)

    @property
    def trains(self) -> bool:
        """Whether it is trained again. Raises DataError if it must be and there is nothing to train on."""
        recipe, project = self.order.profile.recover, self.order.project
        if recipe is None:
            return False
        if project.data.training is None and recipe.required:
            raise DataError(
                f"profile '{self.order.profile.id}' trains the network again, and project '{project.name}' states no "
                "training data",
                hint="add training = { … } under [data], or --set profile.recover.required=false to go without",
            )
        return project.data.training is not None

    @property
    def remarks(self) -> tuple[str, ...]:
        """What was left undone."""
        if self.order.profile.recover is None or self.trains:
            return ()
        return ("The profile trains the network again; there is no training data, so it was not.",)

    @cached_property
    def training(self) -> CachedData:
        return CachedData(self.order.project, self.line, "training", None)

    @cached_property
    def calibration(self) -> CachedData:
        """What gradients are taken on, to tell what matters, and ranges."""
        return CachedData(self.order.project, self.line, "calibration", CALIBRATION)

    @cached_property
    def keys(self) -> dict[str, str]:
        """By stage."""
        profile, before, keys = self.order.profile, self.network.key, {}
        for name in self.stages:
            recipe: Any = profile.prune if name == "prune" else profile.recover
            parts = {"stage": name, "model": before, "recipe": recipe.model_dump(mode="json")}
            parts["reads"] = {data.role: data.key for data in self._reads(name)}
            if name == AWARE and profile.quantize:
                parts["quantize"] = profile.quantize.model_dump(mode="json")
                parts["runtime"] = self.order.runtime.model_dump(mode="json")
            keys[name] = before = digest_of({**parts, "versions": tool_versions(PACKAGES)})
        return keys

    @cached_property
    def model(self) -> Model:
        from edgekit.frontend.store import load_model

        if not self.stages:
            return self.network.model
        return load_model(self.order.project, self._made(self.stages[-1]))

    def _made(self, name: str) -> Path:
        make = {"prune": self._prune, "recover": self._recover, AWARE: self._train_quantized}[name]
        return self.line.entry(name, self.keys[name], make)

    def _before(self, name: str) -> Model:
        """What the stage takes."""
        from edgekit.frontend.store import load_model

        earlier = self.stages[: self.stages.index(name)]
        return load_model(self.order.project, self._made(earlier[-1])) if earlier else self.network.model

    def _prune(self, out: Path) -> None:
        from edgekit.frontend.store import save_model
        from edgekit.passes.pruning.prune import prune

        recipe = self.order.profile.prune
        assert recipe  # a stage of its own
        samples = self.calibration.samples if self._reads("prune") else None
        save_model(prune(self._before("prune"), recipe, samples), out)

    def _recover(self, out: Path) -> None:
        from edgekit.frontend.store import save_model
        from edgekit.passes.recovery.recover import recover

        recipe, say = self.order.profile.recover, self.line.teller("recover")
        assert recipe  # a stage of its own
        with self._checkpoints("recover") as folder:
            made = recover(self._before("recover"), self.network.model, recipe, self.training.samples, folder, say)
            save_model(made, out)
            shutil.rmtree(folder, ignore_errors=True)

    def _train_quantized(self, out: Path) -> None:
        from edgekit.frontend.load import batches
        from edgekit.frontend.store import save_model
        from edgekit.passes.recovery.qat import train_quantized

        order, say = self.order, self.line.teller(AWARE)
        recipe, recover = order.profile.quantize, order.profile.recover
        assert recipe
        assert recover
        quantization = order.backend().quantization(recipe, order.runtime)
        training, examples = self.training.samples, batches(self.calibration.samples, order.project)
        with self._checkpoints(AWARE) as folder:
            model, original = self._before(AWARE), self.network.model
            made = train_quantized(model, original, quantization, recover, training, examples, folder, say)
            save_model(made, out)
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def _checkpoints(self, name: str) -> Iterator[Path]:
        """Where training is resumed from; of two builds at once the second waits for the first."""
        folder = self.line.cache.root / "checkpoints" / self.keys[name]
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with folder.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                folder.mkdir(exist_ok=True)
                yield folder
