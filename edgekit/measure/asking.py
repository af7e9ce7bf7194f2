"""One measurement on a device: a folder there, a folder here, and the runner between them."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np

from edgekit.cache import file_digest, storage_errors
from edgekit.devices.answers import Loaded
from edgekit.devices.flash import Installation
from edgekit.errors import EdgekitError, ProbeError
from edgekit.ir.measurement import Array

A = TypeVar("A", bound=Loaded)

START_S = 120.0
"""Time limit of importing a runtime and loading a model."""
INFERENCE_S = 5.0
"""Time limit of one inference, on average. A model that is slower is none for a device."""
EMULATED_START_S = 300.0
EMULATED_INFERENCE_S = 10.0
"""On an emulated device: importing a runtime takes half a minute there, a float inference six seconds."""


@dataclass
class Asking:
    """Asks the runner for one measurement, which is of one model."""

    installation: Installation
    remote: PurePosixPath
    local: Path
    _model: str | None = field(default=None)

    @property
    def emulated(self) -> bool:
        return self.installation.transport.kind == "emulated"

    def send(self, inputs: Mapping[str, Array], folder: str) -> tuple[object, ...]:
        """Put arrays into a folder there, and say what they must be once they have arrived."""
        digests: list[object] = []
        for name, array in inputs.items():
            path = self.local / folder / f"{name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            with storage_errors(self.local):
                np.save(path, array, allow_pickle=False)
            digests += ["--sha256", f"{name}.npy", file_digest(path)]
            self.installation.transport.push(path, self.remote / folder / f"{name}.npy")
            path.unlink()
        return tuple(digests)

    def ask(self, answer: type[A], verb: str, folder: str, *argv: object, timeout: float) -> A:
        """What the runner answers. Raises ProbeError if that failed, or if the model is another than before."""
        folders = ("--inputs", self.remote / folder, "--out", self.remote / "out")
        slot, runner = self.installation.slot, self.installation.runner
        found = runner.ask(answer, verb, slot, *folders, *argv, timeout=timeout, failure=ProbeError)
        if self._model not in (None, found.model_sha256):
            raise ProbeError(f"{self.installation.transport.url}: the model was replaced while it was probed")
        self._model = found.model_sha256
        return found

    def fetch(self, name: str, count: int, sha256: str | None = None) -> Array:
        """An array of `count` rows that the runner left. Raises ProbeError if it came back damaged."""
        path = self.local / "out" / f"{name}.npy"
        self.installation.transport.pull(self.remote / "out" / f"{name}.npy", path)
        if sha256 not in (None, file_digest(path)):
            raise ProbeError(f"'{name}.npy' came back damaged", hint="probe again: what came whole is kept")
        try:
            array: Array = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ProbeError(f"'{name}.npy' came back damaged: {error}") from error
        if len(array) != count:
            raise ProbeError(f"'{name}.npy' came back with {len(array)} rows, not {count}")
        return array

    def remove(self, folder: str) -> None:
        """Remove what was sent into a folder there: a small device holds one shard at a time."""
        self.installation.runner.remove(self.remote / folder)

    def limit(self, inferences: int) -> float:
        """Seconds that so many inferences may take, starting included."""
        if self.emulated:
            return EMULATED_START_S + EMULATED_INFERENCE_S * inferences
        return START_S + INFERENCE_S * inferences


@contextlib.contextmanager
def asking(installation: Installation) -> Iterator[Asking]:
    """The folders of one measurement; nothing of them is left."""
    remote = installation.root / "probe" / secrets.token_hex(8)
    with tempfile.TemporaryDirectory() as name:
        try:
            yield Asking(installation, remote, Path(name))
        finally:
            with contextlib.suppress(EdgekitError):
                installation.runner.remove(remote)
