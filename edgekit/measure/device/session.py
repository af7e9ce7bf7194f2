"""Session with the runner for one measurement: a scratch folder on the device, and one on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import math
import secrets
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
from pydantic import ConfigDict, field_validator

from edgekit.bundle.archive import MAX_MANIFEST_BYTES
from edgekit.cache import file_digest, storage_errors
from edgekit.devices.flash import Installation
from edgekit.devices.measurement_protocol import Accuracy, Loaded
from edgekit.errors import AnswerMismatch, EdgekitError, ProbeError
from edgekit.ir.measurement import Array
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.runner.layout import MANIFEST, PROBE
from edgekit.specs.spec import Spec
from edgekit.untrusted import json_text
from edgekit.untrusted.npy import header_bytes, read_npy
from edgekit.untrusted.sanitize import line

A = TypeVar("A", bound=Loaded)

START_S = 120.0
"""Time limit of importing a runtime and loading a model."""
INFERENCE_S = 5.0
"""Time limit of one inference, on average. A model that is slower is none for a device."""
EMULATED_START_S = 300.0
EMULATED_INFERENCE_S = 10.0
"""The same limits on an emulated device: importing a runtime takes half a minute there, a float inference six s."""
MAX_INTEGERS = 1 << 23
"""Limit of the integers in one answer: latencies of a 2 us model over a quarter of a minute."""
MANIFEST_VALUES = 1_000_000
"""Limit of the JSON values in a manifest."""
SHOWN = 300
"""Characters of the device's own words that an error shows."""
AGAIN = "probe again: what came whole is kept"


class ModelEdges(Spec):
    """Signature in a manifest: the inputs and outputs of the model."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    signature: Signature

    @field_validator("signature")
    @classmethod
    def _plain(cls, signature: Signature) -> Signature:
        for spec in signature.outputs:
            if np.dtype(spec.dtype).kind not in "biuf" or not spec.shape or min(spec.shape) < 0:
                raise ValueError(f"'{spec}' is no array of numbers")
        return signature


@dataclass
class ProbeSession:
    """One measurement of one model: sends inputs to the device, runs verbs of the runner, fetches checked results."""

    installation: Installation
    remote: PurePosixPath
    local: Path
    _model: str | None = field(default=None)

    @property
    def emulated(self) -> bool:
        return self.installation.transport.kind == "emulated"

    def send(self, inputs: Mapping[str, Array], folder: str) -> tuple[object, ...]:
        """Send arrays to `folder` on the device; give the arguments by which the runner verifies their SHA-256."""
        digests: list[object] = []
        for name, array in inputs.items():
            path = self.local / "sent.npy"
            with storage_errors(self.local):
                np.save(path, array, allow_pickle=False)
            digests += ["--sha256", f"{name}.npy", file_digest(path)]
            self.installation.transport.push(path, self.remote / folder / f"{name}.npy")
            path.unlink()
        return tuple(digests)

    def ask(self, answer: type[A], verb: str, folder: str, *argv: object, timeout: float) -> A:
        """Run `verb` of the runner on the inputs in `folder` and parse its answer as `answer`; `timeout` in seconds.

        Raises ProbeError if the verb failed, or if the model was replaced since the last call."""
        folders = ("--inputs", self.remote / folder, "--out", self.remote / "out")
        slot, runner = self.installation.slot, self.installation.runner
        if self.installation.accelerator:
            argv += self.installation.accelerator.arguments()
        answered = runner.ask(answer, verb, slot, *folders, *argv, timeout=timeout, failure=ProbeError)
        if self._model not in (None, answered.model_sha256):
            raise ProbeError(f"{self.installation.transport.url}: the model was replaced while it was probed")
        self._model = answered.model_sha256
        return answered

    def outputs(self, answer: Accuracy, inputs: Mapping[str, Array], steps: int | None = None) -> dict[str, Array]:
        """Fetch the outputs for these inputs: each that the manifest states as an answer, [N, …], with finite values.

        A free axis is as long as for the widest of the inputs. steps: of sequences, whose outputs are [N, T, …].

        Raises AnswerMismatch for any other name, dtype, shape or value, ProbeError if a file came back damaged.
        """
        stated = self.signature.reported
        if set(answer.outputs) != {spec.name for spec in stated}:
            names = ", ".join(sorted(answer.outputs)) or "nothing"
            raise self._mismatch(f"it answered {line(names, SHOWN)}; its manifest states {', '.join(map(str, stated))}")
        count = len(next(iter(inputs.values())))
        lead = (count,) if steps is None else (count, steps)
        widths = {
            axis.length: inputs[spec.name].shape[axis.axis]
            for spec in self.signature.inputs
            for axis in spec.free
            if spec.name in inputs and axis.axis < inputs[spec.name].ndim
        }
        if set(widths) != {length.name for length in self.signature.lengths}:
            raise self._mismatch("its manifest states free lengths that the samples do not have")
        shapes = {spec.name: (*lead, *spec.at(widths)[1:]) for spec in stated}
        return {spec.name: self._output(spec, shapes[spec.name], answer.outputs[spec.name]) for spec in stated}

    def integers(self, name: str, *shape: int) -> Array:
        """Fetch a non-negative int64 array of that shape that the runner wrote. Raises AnswerMismatch or ProbeError."""
        if math.prod(shape) > MAX_INTEGERS:
            raise self._mismatch(f"'{name}' would have {list(shape)} numbers")
        array = self._fetch(name, np.dtype(np.int64), shape)
        if array.size and array.min() < 0:
            raise self._mismatch(f"'{name}' holds {array.min()}")
        return array

    @cached_property
    def signature(self) -> Signature:
        """Inputs and outputs of the model, from the manifest on the device, whose digest is verified here."""
        slot, path = self.installation.slot, self.local / MANIFEST
        self.installation.transport.pull(slot / MANIFEST, path, MAX_MANIFEST_BYTES)
        with storage_errors(self.local):
            raw = path.read_bytes()
        if hashlib.sha256(raw).hexdigest() != self.installation.digest:
            raise self._mismatch("its manifest is not the one of the bundle that was installed")
        try:
            return ModelEdges.model_validate(json_text.loads(raw, MANIFEST_VALUES)).signature
        except (ValueError, TypeError) as error:
            raise self._mismatch("its manifest states no inputs and outputs") from error

    def _output(self, spec: TensorSpec, shape: tuple[int, ...], sha256: str) -> Array:
        # Integers that stand for reals come home as reals.
        dtype = np.dtype(np.float32 if spec.affine else spec.dtype)
        array = self._fetch(spec.name, dtype, shape, sha256)
        finite = np.isfinite(array.reshape(len(array), -1)).all(axis=1)
        if not finite.all():
            raise self._mismatch(f"output '{spec.name}' is not finite for sample {finite.argmin()} of those sent")
        return array

    def _fetch(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], sha256: str | None = None) -> Array:
        # Under a name of ours: one that a device or a model file gave never becomes a path here.
        path = self.local / "fetched.npy"
        limit = header_bytes(math.prod(shape) * dtype.itemsize)
        self.installation.transport.pull(self.remote / "out" / f"{name}.npy", path, limit)
        if sha256 not in (None, file_digest(path)):
            raise ProbeError(f"'{name}.npy' came back damaged", hint=AGAIN)
        try:
            array = read_npy(path)
        except (OSError, ValueError) as error:
            raise ProbeError(f"'{name}.npy' came back damaged: {error}", hint=AGAIN) from error
        finally:
            path.unlink()
        if (array.dtype, array.shape) != (dtype, shape):
            raise self._mismatch(f"'{name}' is {array.dtype}{list(array.shape)}, and must be {dtype}{list(shape)}")
        return array

    def _mismatch(self, reason: str) -> AnswerMismatch:
        where = self.installation.transport.url
        return AnswerMismatch(
            f"{where}: {reason}", hint=f"edgekit status --device {where} says what is installed there"
        )

    def remove(self, folder: str) -> None:
        """Remove `folder` on the device: a small device holds one shard at a time."""
        self.installation.runner.remove(self.remote / folder)

    def limit(self, inferences: int) -> float:
        """Time limit in seconds of so many inferences, starting included."""
        if self.emulated:
            return EMULATED_START_S + EMULATED_INFERENCE_S * inferences
        return START_S + INFERENCE_S * inferences


@contextlib.contextmanager
def probe_session(installation: Installation) -> Iterator[ProbeSession]:
    """Yield a session with scratch folders of its own, which are removed afterwards on both sides."""
    remote = installation.root / PROBE / secrets.token_hex(8)
    with tempfile.TemporaryDirectory() as name:
        try:
            yield ProbeSession(installation, remote, Path(name))
        finally:
            with contextlib.suppress(EdgekitError):
                installation.runner.remove(remote)
