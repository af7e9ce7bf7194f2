"""Check for specialization: a program must answer as the network does for other inputs than the traced one too."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.export import ExportedProgram
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from edgekit.errors import SpecializedCapture
from edgekit.frontend.constructs.catalog import construct_of
from edgekit.frontend.constructs.evidence import CaptureEvidence, evidence_of, forward_evidence
from edgekit.frontend.determinism import OperatorDifference, Recording, digest
from edgekit.frontend.load import Model
from edgekit.frontend.torch_threads import torch_threads
from edgekit.ir.sqnr import FLOAT_DB, sqnr_db
from edgekit.specs.factory import RAISED

HINT = (
    "keep Python out of what tensors decide: no 'try' around tensor code, no value kept from call to call, "
    "torch.where(CONDITION, A, B) for choices; if it has none of these, report it, with the model"
)


def check_specialization(exported: ExportedProgram, model: Model, samples: Sequence[tuple[Tensor, ...]] = ()) -> None:
    """Raise SpecializedCapture if the program, as it was exported, answers otherwise than the network.

    Both answer the inputs that were traced, a few made ones, `probes`, and `samples`, batch 1 each. Inputs that the
    network itself refuses, or answers by infinities or NaN, are passed over.
    """
    program = exported.module()
    # On small networks and shared cores more threads can be ten times slower.
    with torch.no_grad(), torch_threads(1):
        for inputs in (*probes(model.examples), *samples):
            try:
                expected = model.module(*_copies(inputs))
            except RAISED:
                continue
            if not all(map(_is_finite, _tensors(expected))):
                continue  # infinities and NaN come out of the same operators in different places
            try:
                answers = program(*_copies(inputs))
            except RAISED:
                answers = None
            if not _same(expected, answers):
                raise _error(model, program, inputs)


def probes(examples: tuple[Tensor, ...]) -> Iterator[tuple[Tensor, ...]]:
    """Inputs of the shapes and dtypes of `examples`: those themselves, then others of other signs and sizes."""
    yield examples
    for change in (_negated, _large, _flat):
        yield tuple(change(example) for example in examples)
    yield examples  # again, after others: what is kept from call to call shows


def _copies(inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(value.clone() for value in inputs)


def _negated(example: Tensor) -> Tensor:
    return -example if example.is_floating_point() else _inverted(example)


def _large(example: Tensor) -> Tensor:
    return (example - 0.5) * 20 if example.is_floating_point() else _inverted(example)


def _flat(example: Tensor) -> Tensor:
    return torch.zeros_like(example)


def _inverted(example: Tensor) -> Tensor:
    """Pixels with their values reversed, other integers as ones: an index of 1 is in most tables."""
    if example.dtype is torch.uint8:
        return 255 - example
    return torch.ones_like(example)


def _same(expected: Any, answers: Any) -> bool:
    one, other = _tensors(expected), _tensors(answers)
    return len(one) == len(other) and all(map(_close, one, other))


def _close(one: Tensor, other: Tensor) -> bool:
    """True if both are one answer: they come from the same kernels, and differ by the order of additions at most."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not one.is_floating_point():
        return 2 * int((one == other).sum()) >= one.numel()  # a few indices may tip over on the last bit
    return _is_finite(other) and sqnr_db(one.float().numpy(), other.float().numpy()) >= FLOAT_DB


def _is_finite(value: Tensor) -> bool:
    return bool(torch.isfinite(value).all())


def _tensors(results: Any) -> list[Tensor]:
    leaves = [leaf for leaf in pytree.tree_leaves(results) if isinstance(leaf, Tensor)]
    return [torch.view_as_real(leaf) if leaf.is_complex() else leaf.detach() for leaf in leaves]


def _error(model: Model, program: Callable[..., Any], inputs: tuple[Tensor, ...]) -> SpecializedCapture:
    evidence = _origin(model, program, inputs)
    construct = construct_of(evidence.failure)
    reason = f"has {construct.title}" if construct else "is not what was traced"
    return SpecializedCapture(
        f"{evidence.place} {reason}; the program answers otherwise than the network{evidence.quotation}",
        hint=construct.hint(evidence.failure) if construct else HINT,
    )


def _origin(model: Model, program: Callable[..., Any], inputs: tuple[Tensor, ...]) -> CaptureEvidence:
    """Evidence of the network's first operator whose result the program does not compute."""
    network, root = model.module.model, model.project.root
    first, second = _copies(inputs), _copies(inputs)
    # What the program computed before it fails counts too.
    with contextlib.suppress(*RAISED), Recording() as recorded:
        program(*first)
    try:
        with _Unrecorded(frozenset(recorded.digests)):
            model.module(*second)
    except OperatorDifference as difference:
        return evidence_of(difference, network, root, "specialized")
    return forward_evidence(network, root, "specialized")


class _Unrecorded(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no type for it
    """Dispatch mode that raises OperatorDifference at the first result that was not recorded."""

    def __init__(self, recorded: frozenset[bytes]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.recorded = recorded

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        has_tensor = any(isinstance(leaf, Tensor) for leaf in pytree.tree_leaves(result))
        if has_tensor and digest(result) not in self.recorded and "empty" not in str(func):
            raise OperatorDifference(str(func))
        return result
