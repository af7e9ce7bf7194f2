"""Float reference: the network in eager torch, measured in this process."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import TypeAdapter
from torch import Tensor
from torch.utils import _pytree as pytree

from edgekit.datasets.free_lengths import free_axes
from edgekit.errors import ForwardError
from edgekit.frontend.capture import signature
from edgekit.frontend.load import Model, batches, examples_at
from edgekit.frontend.output_names import output_names
from edgekit.frontend.sequences import carried, sequence_outputs, step_data
from edgekit.frontend.torch_threads import torch_threads
from edgekit.ir.measurement import (
    Array,
    Conditions,
    Environment,
    Measurement,
    Process,
    Validity,
    Watched,
    no_latency,
)
from edgekit.ir.validity import NOT_ASKED, validity
from edgekit.runner.machine import conditions as machine
from edgekit.runner.machine import system
from edgekit.runner.timing import loop
from edgekit.runner.timing.disturbance import DisturbanceWatch
from edgekit.samples import Samples
from edgekit.specs.profile import Probe

_CONDITIONS = TypeAdapter(Conditions)
_WATCHED = TypeAdapter(tuple[Watched, ...])
Single = Callable[[tuple[Tensor, ...]], Any]
"""Function that runs one inference; of a model with state, its next step."""
BATCH = 8
"""Samples in a batch: few enough that activations stay in the caches.

On two cores 8 took less time a sample than 64.
"""


@dataclass(frozen=True)
class Eager:
    """Endpoint that measures the user's float network in eager torch, on the machine that builds."""

    make: Callable[[], Model]
    """Function that loads the model, called when it is first needed."""

    def measure(self, samples: Samples, probe: Probe | None) -> Measurement:
        """Measure outputs for every sample, and the latency of single inferences if `probe` is not None.

        Raises ForwardError if the network changes the samples.
        """
        digest = samples.digest
        model = self.make()
        load_ns = model.load_ns
        singles, single = _inferences(model, samples)
        with torch.no_grad():
            started = time.perf_counter_ns()
            single(singles[0])
            first_ns = time.perf_counter_ns() - started
            begun = time.perf_counter()
            outputs, threads = _outputs(model, samples)
            answered_s = time.perf_counter() - begun
            latency, process = (
                self._latency(single, singles, probe, load_ns, first_ns) if probe else (no_latency(), None)
            )
        _check_unchanged(samples, digest)
        return Measurement(
            outputs=outputs,
            labels=samples.labels,
            samples_digest=digest,
            latency_ns=latency,
            load_ns=load_ns,
            first_ns=first_ns,
            peak_rss_bytes=None,  # this process holds the compiler and the data too: its peak says nothing of the model
            environment=_environment(probe.threads if probe else threads),
            validity=_validity(process, latency, probe),
            processes=(process,) if process else (),
            samples_per_s=len(samples) / answered_s,
            length=samples.length,
            groups=samples.groups,
        )

    def _latency(
        self, single: Single, singles: list[tuple[Tensor, ...]], probe: Probe, load_ns: int, first_ns: int
    ) -> tuple[Array, Process]:
        """Time single inferences in this process: a reference needs no fresh one, and loading takes seconds."""
        watch, before = DisturbanceWatch(), machine.conditions()
        with torch_threads(probe.threads):
            timed = loop.single_stream(
                single,
                singles,
                probe.min_count,
                probe.min_duration_s,
                watch.look,
                watch.start,
            )
        process = Process(
            count=len(timed.latency_ns),
            load_ns=load_ns,
            first_ns=first_ns,
            warm_up_count=timed.warm_up_count,
            warm_up_ns=timed.warm_up_ns,
            steady=timed.steady,
            before=_CONDITIONS.validate_python(before),
            after=_CONDITIONS.validate_python(machine.conditions()),
            watched=_WATCHED.validate_python(watch.spans),
        )
        return timed.latency_ns, process


def _check_unchanged(samples: Samples, digest: str) -> None:
    """Raise ForwardError if the samples no longer have `digest`: later results would be of other samples."""
    if samples.digest != digest:
        raise ForwardError(
            "the model's forward writes into some of its inputs, and not into others",
            hint="begin forward with x = x.clone(), or write x = x - 1 in place of x -= 1",
        )


def _validity(process: Process | None, latency_ns: Array, probe: Probe | None) -> Validity:
    if process is None or probe is None:
        return NOT_ASKED
    return validity([process], latency_ns, probe.min_count, probe.threads, system.info()["cores"])


def _inferences(model: Model, samples: Samples) -> tuple[list[tuple[Tensor, ...]], Single]:
    """Arguments of single inferences, and the function that runs one; of sequences, step after step with its state."""
    if not model.project.state:
        return batches(samples, model.project), lambda sample: model.module(*sample)
    edges = signature(model.project, model.module(*(example.clone() for example in model.examples)))
    return step_data(samples, edges), carried(model.module, edges, samples.initial, samples.steps)


def _outputs(model: Model, samples: Samples) -> tuple[dict[str, Array], int]:
    """Outputs by name, [N, …], float or integer as in the model, and the number of threads; of sequences [N, T, …]."""
    if model.project.state:
        edges = signature(model.project, model.module(*(example.clone() for example in model.examples)))
        with torch_threads(1):  # one small step after another
            return sequence_outputs(model.module, edges, samples), 1
    if model.project.lengths:
        return _ragged_outputs(model, samples)
    batch = BATCH if _takes_batches(model, samples) else 1
    columns = [torch.from_numpy(np.ascontiguousarray(samples.inputs[name])) for name in model.project.inputs]
    threads = _quickest_threads(model, tuple(column[:batch] for column in columns))
    with torch_threads(threads):
        rows = [_leaves(model, chunk) for chunk in _chunks(columns, batch)]
    results = model.module(*model.examples)
    names = output_names(model.project, results, len(rows[0]))
    return {name: np.concatenate([row[i] for row in rows]) for i, name in enumerate(names)}, threads


def _ragged_outputs(model: Model, samples: Samples) -> tuple[dict[str, Array], int]:
    """Outputs as `_outputs` gives them, one sample at a time; padded with 0 to those of the widest columns."""
    singles = batches(samples, model.project)
    widths = {
        size.length.name: samples.inputs[name].shape[1 + axis]
        for name, spec in model.project.inputs.items()
        for axis, size in free_axes(spec).items()
    }
    threads = _quickest_threads(model, singles[0])
    with torch_threads(threads):
        results = model.module(*examples_at(model.project, model.examples, widths))
        widest = [leaf.numpy() for leaf in pytree.tree_leaves(results)]
        outputs = [np.zeros((len(samples), *leaf.shape[1:]), leaf.dtype) for leaf in widest]
        for i, single in enumerate(singles):
            for output, leaf in zip(outputs, _leaves(model, single), strict=True):
                output[i][tuple(map(slice, leaf.shape[1:]))] = leaf[0]
    names = output_names(model.project, results, len(outputs))
    return dict(zip(names, outputs, strict=True)), threads


def _quickest_threads(model: Model, chunk: tuple[Tensor, ...]) -> int:
    """Number of threads: one, or torch's default, whichever is quicker on `chunk`.

    On small networks and shared cores more threads can be ten times slower.
    """
    counts = {1, torch.get_num_threads()}
    if len(counts) == 1:
        return 1
    seconds = {}
    for count in sorted(counts):
        with torch_threads(count):
            _leaves(model, chunk)
            started = time.perf_counter()
            for _ in range(3):
                _leaves(model, chunk)
            seconds[count] = time.perf_counter() - started
    return min(seconds, key=seconds.__getitem__)


def _chunks(columns: list[Tensor], size: int) -> Iterator[tuple[Tensor, ...]]:
    for start in range(0, len(columns[0]), size):
        yield tuple(column[start : start + size] for column in columns)


def _leaves(model: Model, chunk: tuple[Tensor, ...]) -> list[Array]:
    return [leaf.numpy() for leaf in pytree.tree_leaves(model.module(*chunk))]


def _takes_batches(model: Model, samples: Samples) -> bool:
    """True if two samples at once give the same outputs as alone: networks may fix their batch at 1."""
    if len(samples) < 2:
        return False
    pair = [torch.from_numpy(np.ascontiguousarray(samples.inputs[name][:2])) for name in model.project.inputs]
    try:
        together = _leaves(model, tuple(pair))
    except (RuntimeError, ValueError, IndexError, AssertionError):
        return False
    apart = [_leaves(model, tuple(column[i : i + 1] for column in pair)) for i in range(2)]
    return all(
        both.shape[0] == 2 and np.allclose(both, np.concatenate([first, second]), rtol=1e-4, atol=1e-5)
        for both, first, second in zip(together, *apart, strict=True)
    )


def _environment(threads: int) -> Environment:
    info = system.info()
    return Environment(
        kind="eager",
        machine=info["machine"],
        system=info["system"],
        cpu=info["cpu"],
        cores=info["cores"],
        ram_bytes=info["ram_bytes"],
        runtime=f"torch {torch.__version__.partition('+')[0]}",
        python=platform.python_version(),
        threads=threads,
        host_stand_in=False,
    )


def output_zeros(model: Model) -> dict[str, Array]:
    """Zeros of the shape and kind of every output but state, by name, for a batch of 1: float32, int64 or bool.

    Runs the network once, before anything is captured. Empty if it returns anything but tensors, which the capture then
    refuses with its reason.
    """
    with torch.no_grad():
        results = model.module(*(example.clone() for example in model.examples))
    leaves = pytree.tree_leaves(results)
    if not leaves or not all(isinstance(leaf, Tensor) for leaf in leaves):
        return {}
    names = output_names(model.project, results, len(leaves))
    state = {spec.from_ for spec in model.project.state.values()}
    named = ((name, leaf) for name, leaf in zip(names, leaves, strict=True) if name not in state)
    return {name: np.zeros(tuple(leaf.shape), _numpy_kind(leaf)) for name, leaf in named}


def _numpy_kind(leaf: Tensor) -> type[np.generic]:
    if leaf.dtype == torch.bool:
        return np.bool_
    return np.float32 if leaf.is_floating_point() else np.int64
