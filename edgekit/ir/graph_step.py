"""Operator of a model file as checks of accelerators see it: ranks and number formats, whatever the format."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class GraphStep:
    """One operator of a model file, in the order of the file."""

    operator: str
    """Name of it in the file: `CONV_2D`, `Conv`."""
    where: str
    """Module of the user's network, or the number of the operator where the file keeps no names."""
    ranks: tuple[int, ...]
    """Number of axes of each tensor that is computed: inputs that are no constants, and outputs."""
    numbers: tuple[str, ...]
    """Number format of each of them, as it is computed: int8 for a float between quantization and dequantization."""
    reads: tuple[str, ...]
    """Names of the tensors that earlier operators wrote."""
    writes: tuple[str, ...]
