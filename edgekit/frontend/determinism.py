"""Check for determinism: the network runs twice, and a difference is traced to the first operator that shows it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from edgekit.errors import Nondeterministic
from edgekit.frontend.constructs.catalog import construct_of
from edgekit.frontend.constructs.evidence import evidence_of
from edgekit.ir.sqnr import sqnr_db

SAME_DB = 100.0
"""Least SQNR of equal answers: another order of addition gives 130 dB, random draws below 60 dB."""
HINT = (
    "in evaluation draw no random numbers (F.dropout needs training=self.training) and keep nothing from call to call"
)


def check_deterministic(network: nn.Module, call: Callable[[], Any], root: Path) -> None:
    """Raise Nondeterministic, which names the module and the line, if two calls of `call` answer differently.

    call: runs `network` on fixed inputs. root: folder of the project, whose lines are named.
    """
    with torch.no_grad():
        if not _same(call(), call()):
            raise _error(network, call, root)


def _same(first: Any, second: Any) -> bool:
    pairs = zip(_tensors(first), _tensors(second), strict=False)
    return all(_alike(one.numpy(), other.numpy()) for one, other in pairs)


def _alike(one: Any, other: Any) -> bool:
    if one.shape != other.shape:
        return False
    finite = np.isfinite(one)
    if not np.array_equal(finite, np.isfinite(other)):
        return False
    return sqnr_db(one[finite], other[finite]) >= SAME_DB


def _tensors(results: Any) -> list[Tensor]:
    leaves = [leaf.detach() for leaf in pytree.tree_leaves(results) if isinstance(leaf, Tensor)]
    return [leaf.float() if leaf.dtype is torch.bfloat16 else leaf for leaf in leaves]


def _error(network: nn.Module, call: Callable[[], Any], root: Path) -> Nondeterministic:
    """Error that names the first operator whose result differs from that of a run before, and the construct there."""
    difference = _difference(call)
    if difference is None:
        return Nondeterministic("the network does not answer the same twice for the same input", hint=HINT)
    evidence = evidence_of(difference, network, root, "nondeterministic")
    construct = construct_of(evidence.failure)
    reason = f": it has {construct.title}: {evidence.line}" if construct else ""
    return Nondeterministic(
        f"{evidence.place} does not answer the same twice for the same input{reason}",
        hint=construct.hint(evidence.failure) if construct else HINT,
    )


def _difference(call: Callable[[], Any]) -> OperatorDifference | None:
    """Signal of the first operator whose result differs from that of a run before; None if none does."""
    with Recording() as recorded:
        call()
    try:
        with OperatorComparison(recorded.digests):
            call()
    except OperatorDifference as difference:
        return difference
    return None


class OperatorDifference(BaseException):
    """Signal that leaves the user's forward; a BaseException, because forward may catch every Exception."""


class Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no type for it
    """Dispatch mode that records a digest of every operator's result."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.digests: list[bytes] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.digests.append(digest(result))
        return result


class OperatorComparison(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Dispatch mode that raises OperatorDifference at the first result that differs from the recorded one."""

    def __init__(self, recorded: Sequence[bytes]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.recorded: Iterator[bytes] = iter(recorded)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        # Memory from aten.empty is not filled yet.
        if digest(result) != next(self.recorded, b"") and "empty" not in str(func):
            raise OperatorDifference(str(func))
        return result


def digest(result: Any) -> bytes:
    """SHA-256 of the tensors in an operator's result."""
    sha = hashlib.sha256()
    for leaf in _tensors(result):
        sha.update(np.ascontiguousarray(leaf.numpy()).tobytes())
    return sha.digest()
