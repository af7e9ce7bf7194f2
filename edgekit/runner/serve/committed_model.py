"""The committed model in memory, called on real values: what a worker of the server and an application hold."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..model.manifest import read_manifest
from ..model.sequences import read_steps
from ..model.slot_accelerator import accelerator_of_slot
from ..model.tensors import Array, real, row
from ..runtimes.model import LoadedModel
from ..slots.admission import admit
from ..slots.trust import Trust
from .served_slot import ServedBundle
from .tensor_metadata import ServedSignature


class CommittedModel(NamedTuple):
    """Model of a bundle that is served."""

    bundle: ServedBundle
    loaded: LoadedModel
    signature: ServedSignature
    first: list[Array]
    """One golden sample, [1, …] an input, as the model takes it."""

    @classmethod
    def load(cls, bundle: ServedBundle, threads: int) -> CommittedModel:
        """Load it, and verify its bundle.

        The bundle is verified after the model is loaded, so that what was loaded is what was verified: a slot that is
        written meanwhile does not have the digest. Raises RunnerError.
        """
        manifest = read_manifest(bundle.slot, accelerator_of_slot(bundle.slot))
        golden, _ = read_steps(bundle.slot / "golden" / "inputs", manifest)
        first = row(golden, 0)
        loaded = LoadedModel.load(manifest, threads, first)
        admit(bundle.slot, bundle.digest, Trust.of(bundle.slot.parent))
        return cls(bundle, loaded, ServedSignature.of(manifest), first)

    @property
    def batch(self) -> int:
        """Samples that the model takes at once."""
        return self.loaded.manifest.inputs[0].shape[0]

    @property
    def metadata(self) -> dict[str, Any]:
        """Inputs and outputs in the protocol's form, the batch, and the runtime."""
        return {
            "inputs": [each.metadata for each in self.signature.inputs],
            "outputs": [each.metadata for each in self.signature.outputs],
            "batch": self.batch,
            "runtime": self.loaded.loaded["runtime"],
        }

    def outputs(self, columns: list[Array]) -> list[Array]:
        """Run the model on every row of arrays [N, …] as it stores them: an array [N, …] an output, real values."""
        count, batch = len(columns[0]), self.batch
        if batch == 1:
            stored = self.loaded.outputs(columns)
        else:
            # The last batch is filled up with its first samples.
            rows = np.arange(-(-count // batch) * batch) % count
            calls = [
                self.loaded.call([column[rows[i : i + batch]] for column in columns])
                for i in range(0, len(rows), batch)
            ]
            stored = [np.concatenate(arrays)[:count] for arrays in zip(*calls)]
        return [real(array, tensor) for array, tensor in zip(stored, self.loaded.manifest.reported)]
