"""Networks that do not answer the same twice: found by asking twice, and traced to the operator that begins it."""

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
from edgekit.frontend.error_location import origin
from edgekit.ir.sqnr import sqnr_db

SAME_DB = 100.0
"""Threads that add in another order are 130 dB apart; what is drawn at random is below 60 dB."""
HINT = (
    "in evaluation draw no random numbers (F.dropout needs training=self.training) and keep nothing from call to call"
)


def check_deterministic(network: nn.Module, call: Callable[[], Any], root: Path) -> None:
    """Raise Nondeterministic, naming the module and the line, if `call`, which runs `network`, answers differently."""
    with torch.no_grad():
        if not _same(call(), call()):
            where = _origin(network, call, root)
            raise Nondeterministic(f"{where} does not answer the same twice for the same input", hint=HINT)


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


def _origin(network: nn.Module, call: Callable[[], Any], root: Path) -> str:
    """Where the first operator is called that gives another result than it did before."""
    with Recording() as recorded:
        call()
    try:
        with OperatorComparison(recorded.digests):
            call()
    except OperatorDifference as found:
        return origin(found, network, root)
    return "the network"


class OperatorDifference(BaseException):
    """Raised out of the user's forward, which is free to catch every Exception."""


class Recording(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no type for it
    """Keeps a digest of what every operator gives."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.digests: list[bytes] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        self.digests.append(_digest(result))
        return result


class OperatorComparison(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Raises Difference at the first operator that gives something else than was recorded."""

    def __init__(self, recorded: Sequence[bytes]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.recorded: Iterator[bytes] = iter(recorded)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        # Memory that nobody has filled yet is nobody's answer.
        if _digest(result) != next(self.recorded, b"") and "empty" not in str(func):
            raise OperatorDifference(str(func))
        return result


def _digest(result: Any) -> bytes:
    sha = hashlib.sha256()
    for leaf in _tensors(result):
        sha.update(np.ascontiguousarray(leaf.numpy()).tobytes())
    return sha.digest()
