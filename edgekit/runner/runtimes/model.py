"""The model of a slot, loaded and run."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..errors import RunnerError
from ..files.integrity import digest_of_file
from ..machine import system
from ..machine.runtime_versions import installed
from ..model.carried_state import StatefulCall
from ..model.manifest import RunnerManifest
from ..model.sample_shapes import check_lengths, lengths_of, shape_at
from ..model.sequences import sequence_outputs, with_state
from ..model.tensors import check_outputs, empty_columns, row
from .base import load
from .select_runtime import open_runtime

if TYPE_CHECKING:
    from ..model.manifest import ModelTensor
    from ..model.tensors import Array, Call, Column
    from .base import Runtime

    Load = Callable[[Runtime, RunnerManifest, int], Call]


class LoadedModel(NamedTuple):
    """A loaded model, with the cost of loading it and of its first inference."""

    manifest: RunnerManifest
    call: Call
    loaded: dict[str, Any]
    """Facts for the host: load_ns, first_ns, peak_rss_bytes after the first inference, empty_rss_bytes before the
    model was loaded, runtime, provider, planned_provider, threads, accelerator."""

    @property
    def facts(self) -> dict[str, Any]:
        """All of `loaded`, and model_sha256 and info, which take longer to collect than a small model to load."""
        info = {**system.info(), "runtimes": installed()}
        return {**self.loaded, "model_sha256": digest_of_file(self.manifest.model), "info": info}

    @classmethod
    def load(
        cls,
        manifest: RunnerManifest,
        threads: int,
        first: list[Array],
        load: Load = load,
        steps: int | None = None,
    ) -> LoadedModel:
        """Load the model, by `load`, and run it on the sample `first`, or on the data of a first step.

        steps: steps after which a model with state begins anew, if it is to be called over and over. Raises
        RunnerError: runtime, load, or run if its outputs are not what the manifest says.
        """
        label, runtime = open_runtime(manifest.format, manifest.engine, manifest.accelerator)
        check_lengths(first, manifest)
        empty_rss_bytes = system.rss_bytes()
        started = perf_counter_ns()
        call = load(runtime, manifest, threads)
        if manifest.state:
            call = with_state(call, manifest, steps)
        loaded = perf_counter_ns()
        outputs = call(first)
        ran = perf_counter_ns()
        check_outputs(outputs, manifest.outputs, lengths_of(first, manifest.inputs))
        if runtime.accelerator:
            check_finite(outputs, manifest.outputs, runtime.accelerator.kind)
        facts = {
            "load_ns": loaded - started,
            "first_ns": ran - loaded,
            "peak_rss_bytes": system.peak_rss_bytes(),
            "empty_rss_bytes": empty_rss_bytes,
            "runtime": label,
            "provider": runtime.provider,
            "planned_provider": manifest.plan.providers[0] if manifest.plan else None,
            "threads": threads,
            "accelerator": runtime.accelerator and runtime.accelerator.written(),
        }
        return cls(manifest, call, facts)

    def outputs(self, columns: list[Column]) -> list[Array]:
        """Run the model on every sample of `columns`: one array [N, …] a reported output, as stored.

        With state, columns and outputs are of sequences, [N, T, …], each from the initial state on. An axis that
        follows a free length is as long as for the widest column, with 0 beyond the end of a sample.
        """
        if isinstance(self.call, StatefulCall):
            return sequence_outputs(self.call, self.manifest, columns)
        count, manifest = len(columns[0]), self.manifest
        kind = manifest.accelerator and manifest.accelerator.kind
        stored = empty_columns(manifest.outputs, count, lengths_of(columns, manifest.inputs))
        if manifest.lengths:
            for i in range(count):
                self._store(row(columns, i), stored, i)
            return stored
        for i in range(count):
            for k, output in enumerate(self.call(row(columns, i))):
                stored[k][i] = output[0]
        if kind:
            check_finite(stored, manifest.outputs, kind)
        return stored

    def _store(self, inputs: list[Array], stored: list[Array], i: int) -> None:
        """Run the model on one sample of free lengths, and write its outputs into row i of `stored`."""
        check_lengths(inputs, self.manifest)
        lengths = lengths_of(inputs, self.manifest.inputs)
        outputs = self.call(inputs)
        check_outputs(outputs, self.manifest.outputs, lengths)
        for k, tensor in enumerate(self.manifest.outputs):
            stored[k][i][tuple(map(slice, shape_at(tensor, lengths)[1:]))] = outputs[k][0]


def check_finite(outputs: list[Array], tensors: tuple[ModelTensor, ...], kind: str) -> None:
    """Raise RunnerError (nan) where an accelerator answers a number that is not finite.

    A float16 sum above 65,504 is infinite, and what follows it NaN: the first output that has one is named.
    """
    for output, tensor in zip(outputs, tensors):
        if output.dtype.kind != "f":
            continue
        wrong = np.flatnonzero(~np.isfinite(output.reshape(len(output), -1)).all(axis=1))
        if wrong.size:
            message = f"'{kind}' answers NaN or infinity in '{tensor.name}' for {wrong.size} of {len(output)} samples"
            raise RunnerError("nan", message)
