"""Sequences in torch: a network, or a program of it, run step by step with its state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from edgekit.frontend.capture import signature
from edgekit.frontend.load import Model, batches
from edgekit.ir.measurement import Array
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature
from edgekit.runner.model.carried_state import StatefulCall, StatePlaces
from edgekit.runner.model.lengths import LENGTHS
from edgekit.samples import Samples
from edgekit.stratification import spread

if TYPE_CHECKING:
    from edgekit.passes.base import Sample

KEPT = 1024
"""Number of steps, of all sequences, that a pass sees: spread over sequences and time."""
RUN = 20_000
"""Largest number of steps that are run to choose these from; of more, whole sequences are left out."""
Call = Callable[..., Any]
"""A network or its program: from tensors to tensors, in any nesting."""


def carried(call: Call, edges: Signature, initial: Mapping[str, Array], period: int | None = None) -> StatefulCall:
    """Make `call` carry its state: a function from the data of a step to all outputs of `call`, in order.

    initial: state before the first step by input name, where it is not zero. period: steps after which it is so again.
    """
    inputs, outputs = {spec.name: spec for spec in edges.inputs}, [spec.name for spec in edges.outputs]
    places = [
        StatePlaces(list(inputs).index(pair.input), outputs.index(pair.output), pair.append) for pair in edges.state
    ]
    specs = [inputs[pair.input] for pair in edges.state]
    first = [initial[spec.name] if spec.name in initial else np.zeros(spec.shape, spec.dtype) for spec in specs]

    def step(arguments: Sequence[Tensor]) -> list[Tensor]:
        return pytree.tree_leaves(call(*arguments))

    return StatefulCall(step, places, [torch.from_numpy(array.copy()) for array in first], period)


def run_steps(
    call: Call, edges: Signature, samples: Samples, limit: int | None = None
) -> Iterator[tuple[Sample, list[Tensor]]]:
    """Run the sequences; yield arguments and outputs of every step, in order, or of `limit` steps spread over them.

    Padding is left out.
    """
    assert samples.length is not None
    lengths = samples.length.tolist()
    total = sum(lengths)
    chosen = spread(len(lengths), max(1, len(lengths) * RUN // total)) if limit and total > RUN else range(len(lengths))
    total = sum(lengths[i] for i in chosen)
    kept = set(spread(total, limit) if limit and limit < total else range(total))
    columns = [torch.from_numpy(np.ascontiguousarray(samples.inputs[spec.name])) for spec in edges.sampled]
    stateful, number = carried(call, edges, samples.initial), 0
    with torch.no_grad():
        for i in chosen:
            stateful.reset()
            for t in range(lengths[i]):
                data = [column[i, t : t + 1] for column in columns]
                arguments = tuple(stateful.arguments(data))
                outputs = stateful(data)
                if number in kept:
                    yield arguments, outputs
                number += 1


def program_arguments(program: Program, samples: Samples, padded: bool = False) -> list[Sample]:
    """Arguments of single calls of a program, which passes calibrate and judge by; batch 1 each.

    Of sequences they are steps, with the state that the program has by then. Samples of free lengths are cut to theirs:
    padding has no part in ranges. padded: they stay as long as the longest, so that outputs can be joined.
    """
    edges = program.signature
    if edges.state:
        return [arguments for arguments, _ in run_steps(program.exported.module(), edges, samples, KEPT)]
    columns = [torch.from_numpy(np.ascontiguousarray(samples.inputs[spec.name])) for spec in edges.inputs]
    if padded or not edges.lengths:
        return [tuple(column[i : i + 1] for column in columns) for i in range(len(samples))]
    names = [length.name for length in edges.lengths]
    shapes = (
        [spec.at({name: int(samples.inputs[name + LENGTHS][i]) for name in names}) for spec in edges.inputs]
        for i in range(len(samples))
    )
    return [
        tuple(column[i : i + 1][tuple(map(slice, shape))] for column, shape in zip(columns, each, strict=True))
        for i, each in enumerate(shapes)
    ]


def prefill_arguments(prefill: Program, samples: Samples, limit: int = KEPT) -> list[Sample]:
    """Arguments of a program that reads several tokens at once: chunks of the sequences, `limit` at most.

    A sequence that is shorter than a chunk is repeated.
    """
    assert samples.length is not None
    edges = prefill.signature
    (tokens,), call = edges.sampled, prefill.exported.module()
    chunk = tokens.shape[1]
    chosen: list[Sample] = []
    stateful = carried(call, edges, samples.initial)
    with torch.no_grad():
        for row, length in zip(samples.inputs[tokens.name], samples.length.tolist(), strict=True):
            text = row.reshape(-1)[:length]
            text = np.resize(text, max(chunk, length // chunk * chunk))
            stateful.reset()
            for part in text.reshape(-1, 1, chunk):
                data = [torch.from_numpy(part.copy())]
                chosen.append(tuple(stateful.arguments(data)))
                stateful(data)
    return [chosen[i] for i in spread(len(chosen), limit)] if len(chosen) > limit else chosen


def network_arguments(model: Model, samples: Samples) -> list[Sample]:
    """Arguments of single calls of a network, batch 1 each; of sequences, steps with the state that it has by then."""
    if not model.project.state:
        return batches(samples, model.project)
    edges = signature(model.project, model.module(*(example.clone() for example in model.examples)))
    return [arguments for arguments, _ in run_steps(model.module, edges, samples, KEPT)]


def step_data(samples: Samples, edges: Signature) -> list[Sample]:
    """Data of the steps of every sequence, one after another, with a batch axis of 1; padding included."""
    columns = [torch.from_numpy(np.ascontiguousarray(samples.inputs[spec.name])) for spec in edges.sampled]
    return [
        tuple(column[i, t : t + 1] for column in columns)
        for i in range(len(samples))
        for t in range(samples.steps or 0)
    ]


def sequence_outputs(call: Call, edges: Signature, samples: Samples) -> dict[str, Array]:
    """Run every sequence: reported outputs by name, [N, T, …], padding included."""
    count, steps, data = len(samples), samples.steps or 0, step_data(samples, edges)
    stateful, rows = carried(call, edges, samples.initial, steps), []
    places = {spec.name: k for k, spec in enumerate(edges.outputs) if spec in edges.reported}
    with torch.no_grad():
        for step in data:
            outputs = stateful(step)
            rows.append([outputs[k].numpy() for k in places.values()])
    return {
        name: np.concatenate(column).reshape(count, steps, *column[0].shape[1:])
        for name, column in zip(places, zip(*rows, strict=True), strict=True)
    }
