"""State of a network: the check that `[state]` fits it, and the state before the first step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from edgekit.errors import StateMismatch, suggest
from edgekit.frontend.output_names import output_names
from edgekit.ir.measurement import Array
from edgekit.ir.signature import Signature
from edgekit.specs.project import Project


def check_state(project: Project, call: Callable[..., Any], examples: Sequence[Tensor]) -> None:
    """Raise StateMismatch unless each tensor of `[state]` comes from an output of its shape and dtype.

    call: the network, which is run once on `examples`, if the project states any state.
    """
    if not project.state:
        return
    with torch.no_grad():
        results = call(*(example.clone() for example in examples))
    leaves = pytree.tree_leaves(results)
    outputs = dict(zip(output_names(project, results, len(leaves)), leaves, strict=True))
    for name, spec in project.state.items():
        if spec.from_ not in outputs:
            known = ", ".join(outputs)
            raise StateMismatch(
                f"[state] {name} comes from '{spec.from_}', the network gives {known}",
                hint=suggest(spec.from_, outputs, f"{name} = {{ from = '{next(iter(outputs))}', … }}, if that is it"),
            )
        result = outputs[spec.from_]
        actual = _described(result)
        stated = f"{spec.dtype}{list(spec.step_shape)}"
        if actual != stated:
            if spec.append is not None:
                raise StateMismatch(
                    f"[state] {name} takes {stated} of each step, and its output '{spec.from_}' is {actual}",
                    hint="an output that is appended has one entry on that axis and is as the cache on all others; "
                    "leave 'append' out if the network gives the whole cache",
                )
            raise StateMismatch(
                f"[state] {name} is {stated}, and its output '{spec.from_}' is {actual}: what a step gives, the next "
                "one takes",
                hint=f"[state] {name}: state the shape and dtype of '{spec.from_}', with its batch axis of 1",
            )
    if len(outputs) == len(project.state):
        raise StateMismatch(
            "every output of the network is state: nothing is left to be judged",
            hint="return an answer beside the state: return answer, h",
        )


def check_prefill(edges: Signature, results: Sequence[Any], count: int) -> None:
    """Raise StateMismatch unless the network, called with `count` tokens, appends as many entries and answers once.

    edges: signature of the network that reads one token.
    """
    appended = {pair.output: pair.append for pair in edges.state}
    for spec, result in zip(edges.outputs, results, strict=True):
        axis = appended.get(spec.name)
        shape = [count if axis == i else size for i, size in enumerate(spec.shape)]
        if _described(result) != f"{spec.dtype}{shape}":
            raise StateMismatch(
                f"a prefill of {count} tokens gives '{spec.name}' as {_described(result)}, not as {spec.dtype}{shape}",
                hint="with tokens [1, count] the network appends count entries to each cache, and answers for the last "
                "token only: return self.head(x[:, -1])",
            )


def _described(result: Any) -> str:
    if not isinstance(result, Tensor):
        return type(result).__name__
    return f"{str(result.dtype).removeprefix('torch.')}{list(result.shape)}"


def initial_tensors(project: Project, initial: Mapping[str, Array]) -> tuple[Tensor, ...]:
    """State before the first step, in the order of `[state]`. initial: arrays of those that are not zero."""
    return tuple(
        torch.from_numpy(initial[name].copy() if name in initial else np.zeros(spec.shape, spec.dtype))
        for name, spec in project.state.items()
    )
