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
from edgekit.pipeline.inputs import Data, Network
from edgekit.pipeline.line import Line
from edgekit.pipeline.order import Order

if TYPE_CHECKING:
    from edgekit.frontend.load import Model

PACKAGES = ("torch", "torch-pruning", "safetensors")


@dataclass(frozen=True)
class Compressed:
    """The network of an order as it is captured; the project's own where the profile neither prunes nor trains."""

    order: Order
    line: Line
    network: Network

    @property
    def stages(self) -> tuple[str, ...]:
        """The names of those that the profile asks for."""
        profile = self.order.profile
        asked = (("prune", profile.prune is not None), ("recover", self.trains))
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
    def data(self) -> tuple[Data, ...]:
        """What the stages read."""
        return (*((self.examples,) if self._looks else ()), *((self.training,) if self.trains else ()))

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
    def training(self) -> Data:
        return Data(self.order.project, self.line, "training", None)

    @cached_property
    def examples(self) -> Data:
        """What gradients are taken on, to tell what matters."""
        return Data(self.order.project, self.line, "calibration", None)

    @cached_property
    def keys(self) -> dict[str, str]:
        """By stage."""
        profile, before, keys = self.order.profile, self.network.key, {}
        for name in self.stages:
            recipe: Any = profile.prune if name == "prune" else profile.recover
            reads = {data.role: data.key for data in self.data if (data.role == "training") == (name == "recover")}
            parts = {"stage": name, "model": before, "recipe": recipe.model_dump(mode="json"), "reads": reads}
            keys[name] = before = digest_of({**parts, "versions": tool_versions(PACKAGES)})
        return keys

    @cached_property
    def model(self) -> Model:
        from edgekit.frontend.store import load_model

        if not self.stages:
            return self.network.model
        return load_model(self.order.project, self._made(self.stages[-1]))

    def reuse(self) -> None:
        """Record the stages as reused: what was made of their result is there."""
        for name in self.stages:
            self.line.find(name, self.keys[name])

    def _made(self, name: str) -> Path:
        make = self._prune if name == "prune" else self._recover
        return self.line.entry(name, self.keys[name], make)

    def _prune(self, out: Path) -> None:
        from edgekit.frontend.store import save_model
        from edgekit.passes.prune import prune

        recipe = self.order.profile.prune
        assert recipe  # a stage of its own
        save_model(prune(self.network.model, recipe, self.examples.samples if self._looks else None), out)

    def _recover(self, out: Path) -> None:
        from edgekit.frontend.store import load_model, save_model
        from edgekit.passes.recover import recover

        recipe, project = self.order.profile.recover, self.order.project
        assert recipe  # a stage of its own
        model = load_model(project, self._made("prune")) if "prune" in self.stages else self.network.model
        with self._checkpoints() as folder:
            say = self.line.teller("recover")
            save_model(recover(model, self.network.model, recipe, self.training.samples, folder, say), out)
            shutil.rmtree(folder, ignore_errors=True)

    @contextlib.contextmanager
    def _checkpoints(self) -> Iterator[Path]:
        """Where training is resumed from; of two builds at once the second waits for the first."""
        folder = self.line.cache.root / "checkpoints" / self.keys["recover"]
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with folder.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                folder.mkdir(exist_ok=True)
                yield folder

    @property
    def _looks(self) -> bool:
        return self.order.profile.prune is not None and self.order.profile.prune.importance == "taylor"
