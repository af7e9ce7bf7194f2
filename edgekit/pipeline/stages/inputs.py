"""Inputs of a build: the user's network and data sets, with a digest of every file that their code read."""

from __future__ import annotations

import gc
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter

from edgekit.cache import digest_of, storage_errors, tool_versions
from edgekit.datasets.classes import class_names
from edgekit.file_trace import FileTrace, traced
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.samples import Samples, Sampling, load_samples
from edgekit.specs.project import Project
from edgekit.tasks.registry import TEMPERATURE, number_of, temperature_of

if TYPE_CHECKING:
    from edgekit.frontend.load import Model

T = TypeVar("T")
LOAD = "load"
CLASSES = "classes.json"
SAMPLING = "sampling.json"
_SAMPLING = TypeAdapter(Sampling)


@dataclass(frozen=True)
class Network:
    """The project's model. Its digest is known without loading it while nothing that it was read from has changed."""

    project: Project
    line: StageRunner
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @cached_property
    def key(self) -> str:
        """Key that changes with the files that the factory reads, and with the project's statements on the model."""
        trace = FileTrace.read(self._file) or self._loaded[2]
        return digest_of({**self._options, "read": trace.digest})

    @property
    def known(self) -> bool:
        """True if the key can be told without loading the model."""
        return FileTrace.read(self._file) is not None

    @property
    def model(self) -> Model:
        return self._loaded[0]

    @property
    def twin(self) -> Model:
        """The same network once more, for another thread to run."""
        return self._loaded[1]

    def release(self) -> None:
        """Let go of the network, whose weights may be most of the memory. Whoever asks for it again loads it again."""
        with self._lock:
            if self.known:  # else its key cannot be told again
                self.__dict__.pop("_loaded_once", None)
        gc.collect()  # programs that were captured of it hold it in circles

    @property
    def _loaded(self) -> tuple[Model, Model, FileTrace]:
        with self._lock:  # a factory that seeds its random numbers must have them for itself
            return self._loaded_once

    @cached_property
    def _loaded_once(self) -> tuple[Model, Model, FileTrace]:
        from edgekit.frontend.load import load_twice

        with self.line.stage(LOAD):
            models, trace = _trace(lambda: load_twice(self.project), self.project, self.line, self._file)
        return (*models, trace)

    @property
    def _options(self) -> dict[str, Any]:
        inputs = {name: spec.model_dump(mode="json") for name, spec in self.project.inputs.items()}
        temperature = number_of(temperature_of(self.project))
        return {
            "model": self.project.model.model_dump(mode="json"),
            "inputs": inputs,
            **_state(self.project),
            **({} if temperature is None else {TEMPERATURE: temperature}),
        }

    @property
    def _file(self) -> Path:
        return self.line.cache.memo({**self._options, "root": str(self.project.root)})


@dataclass(frozen=True)
class CachedData:
    """One of the project's data sets, or `limit` samples of it; read once, then kept in the cache."""

    project: Project
    line: StageRunner
    role: str
    limit: int | None
    steps: int | None = None
    """Most steps of a sequence, for a model with state; None for all."""

    @property
    def known(self) -> bool:
        """True if the key can be told without reading the data."""
        trace = FileTrace.read(self._file)
        return trace is not None and self.line.cache.find(self._key(trace)) is not None

    @property
    def key(self) -> str:
        return self._entry[0]

    @property
    def folder(self) -> Path:
        """Folder with `<input>.npy` for every input, `labels.npy`, `classes.json`, `sampling.json`, maybe `state/`."""
        return self._entry[1]

    @property
    def classes(self) -> tuple[str, ...]:
        """The project's class names, which its code may have to be run for."""
        return tuple(json.loads((self.folder / CLASSES).read_text()))

    @cached_property
    def samples(self) -> Samples:
        sampling = _SAMPLING.validate_json((self.folder / SAMPLING).read_bytes())
        return replace(Samples.read(self.folder, mapped=True), sampling=sampling)

    @cached_property
    def _entry(self) -> tuple[str, Path]:
        trace = FileTrace.read(self._file)
        entry = self.line.find(self.stage_name, self._key(trace)) if trace else None
        if trace and entry:
            return self._key(trace), entry
        with self.line.stage(self.stage_name):
            load = lambda: load_samples(self.project, self.role, self.limit, self.steps)  # noqa: E731
            samples, trace = _trace(load, self.project, self.line, self._file)

            def make(out: Path) -> None:
                samples.save(out)
                (out / CLASSES).write_text(json.dumps(class_names(self.project)))
                assert samples.sampling  # `load_samples` always sets it
                (out / SAMPLING).write_bytes(_SAMPLING.dump_json(samples.sampling))

            return self._key(trace), self.line.cache.fetch(self._key(trace), make)[0]

    @property
    def stage_name(self) -> str:
        """Name of the stage that reads it."""
        return f"{self.role} data" + (f" ({self.limit})" if self.limit else "")

    def _key(self, trace: FileTrace) -> str:
        return digest_of({**self._options, "read": trace.digest})

    @property
    def _options(self) -> dict[str, Any]:
        project = self.project
        # Slices are of the evaluation set alone: to state others must not have anything calibrated anew.
        data = project.data.model_dump(
            mode="json", exclude={each: {"slices"} for each in type(project.data).model_fields}
        )
        own = {"metadata": 1, "slices": project.data.evaluation.slices} if self.role == "evaluation" else {}
        return {
            "role": self.role,
            "limit": self.limit,
            "data": data,
            **own,
            "inputs": {name: spec.model_dump(mode="json") for name, spec in project.inputs.items()},
            "classes": project.model.classes,
            "task": [project.model.task, {key: value for key, value in project.task.items() if key != TEMPERATURE}],
            "versions": tool_versions(("numpy", "pillow")),
            **_state(project, self.steps),
        }

    @property
    def _file(self) -> Path:
        return self.line.cache.memo({**self._options, "root": str(self.project.root)})


def _state(project: Project, steps: int | None = None) -> dict[str, Any]:
    """Part of a key that is there only for a model with state."""
    if not project.state:
        return {}
    return {"state": {name: spec.model_dump(mode="json") for name, spec in project.state.items()}, "steps": steps}


def _trace(call: Callable[[], T], project: Project, line: StageRunner, file: Path) -> tuple[T, FileTrace]:
    result, trace = traced(call, project.root, line.cache.root.resolve())
    with storage_errors(file.parent):
        trace.save(file)
    return result, trace
