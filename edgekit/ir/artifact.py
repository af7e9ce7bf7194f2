"""Artifact: the files that lowering writes, and the facts read off them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from edgekit.ir.signature import Signature

Format = Literal["pte", "onnx", "tflite"]
FORMATS: tuple[Format, ...] = get_args(Format)


@dataclass(frozen=True)
class Operator:
    """One operator of the loaded graph: delegate, arithmetic, and amount of work."""

    name: str
    """Runtime's own name of it, such as `QLinearConv`, `CONV_2D`, `static_conv2d`."""
    delegate: str | None
    """Delegate that runs it; None if it fell back to the runtime's own reference kernel."""
    macs: int
    """Multiply-accumulates of one inference; 0 for operators that have none."""
    elements: int
    """Elements that it writes."""
    integer: bool
    """True if its multiply-accumulates, or its arithmetic, are on integers."""
    bytes: int | None = None
    """Bytes that it reads and writes: weights included; of a table, the rows that are looked up; 0 for a view. None if
    they were not counted."""
    module: str = ""
    """Module of the model that it was lowered from, such as `blocks.0.norm1`; empty if the backend does not tell."""


@dataclass(frozen=True)
class Placement:
    """Operators in execution order, each with the delegate that runs it."""

    operators: tuple[Operator, ...]

    def share(self, chosen: Callable[[Operator], bool], weight: Callable[[Operator], int]) -> float:
        """Share of the total `weight` that the `chosen` operators have, in [0, 1]; 0 if the total is 0."""
        total = sum(map(weight, self.operators))
        return sum(weight(op) for op in self.operators if chosen(op)) / total if total else 0.0

    @property
    def fallback(self) -> float:
        """Share of the multiply-accumulates that fell back to reference kernels, in [0, 1].

        In a network without any: share of the bytes, or of the elements written where bytes were not counted.
        """
        if self.macs:
            return self.share(lambda op: op.delegate is None, lambda op: op.macs)
        by_bytes = self.fallback_bytes
        return self.share(lambda op: op.delegate is None, lambda op: op.elements) if by_bytes is None else by_bytes

    @property
    def fallback_bytes(self) -> float | None:
        """Share of the bytes read and written that reference kernels read and write, in [0, 1]; None if unknown.

        It shows the fragments between delegates, which multiply nothing and move much.
        """
        if any(op.bytes is None for op in self.operators):
            return None
        return self.share(lambda op: op.delegate is None, lambda op: op.bytes or 0)

    @property
    def delegated(self) -> float:
        """Share of the multiply-accumulates that a delegate runs, in [0, 1]: the rest of `fallback`."""
        return 1.0 - self.fallback if self.operators else 0.0

    @property
    def integer_macs(self) -> float:
        """Share of the multiply-accumulates that integer kernels run, in [0, 1]."""
        return self.share(lambda op: op.integer, lambda op: op.macs)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(op.macs for op in self.operators)


@dataclass(frozen=True)
class Fragments:
    """Parts into which delegates and the kernels outside of them split the graph: what the runtime calls in turn."""

    delegates: int
    """Calls of a delegate in one inference."""
    kernels: int
    """Calls of kernels outside of all delegates; views of memory are none."""
    boundary_bytes: int
    """Bytes of the tensors that enter and leave delegates, the model's own inputs and outputs included."""

    @property
    def count(self) -> int:
        return self.delegates + self.kernels


@dataclass(frozen=True)
class Artifact:
    """Lowered model on disk: the entry file first, then any files of weights."""

    files: tuple[Path, ...]
    format: Format
    signature: Signature
    placement: Placement
    integer: float
    """Share of the elements of all weights (`ir.stored_weights`) that are stored as integers, 0 to 1."""
    options: tuple[tuple[str, str], ...] = ()
    """Session options the runtime must be given, such as `session.qdqisint8allowed`."""
    basis: str = "read off the graph as its runtime loaded it"
    """Basis of `placement`: a reading, or a claim if the runtime cannot run here."""
    weight_bytes: int | None = None
    """Bytes of the weights in the files, what compression can make smaller; None if the backend does not say."""
    fixed_macs: int = 0
    """Multiply-accumulates of preprocessing that stays in float by rule (`passes.fixed_layers`)."""
    float_products: frozenset[str] = frozenset()
    """Names of products of two activations that the delegate has in float only, such as `BATCH_MATMUL`."""
    fragments: Fragments | None = None
    """Fragments of the graph; None of a runtime without delegates, or where they cannot be counted."""

    @property
    def entry(self) -> Path:
        """File that a runtime is given; it names those of the weights, which lie beside it."""
        return self.files[0]

    @property
    def size_bytes(self) -> int:
        return sum(path.stat().st_size for path in self.files)

    @property
    def integer_macs(self) -> float:
        """Share of the multiply-accumulates that integer kernels run, in [0, 1], without `fixed_macs`."""
        left = self.macs - self.fixed_macs
        if not self.fixed_macs or left <= 0:
            return self.placement.integer_macs
        return min(1.0, sum(op.macs for op in self.placement.operators if op.integer) / left)

    @property
    def float_only_macs(self) -> float:
        """Share of the multiply-accumulates of `float_products` that run in float, in [0, 1], without `fixed_macs`.

        No recipe makes them integers. Weights that a delegate multiplies so show in `integer`.
        """
        left = self.macs - self.fixed_macs
        products = (op for op in self.placement.operators if op.name in self.float_products and op.delegate)
        return min(1.0, sum(op.macs for op in products if not op.integer) / left) if left > 0 else 0.0

    @property
    def macs(self) -> int:
        return self.placement.macs
