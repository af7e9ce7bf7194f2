"""Accelerator that a model is to run on: the request of one call of the runner, and the facts that it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import RunnerError

CPU, LITERT_GPU, QNN_HTP, WEBGPU = "cpu", "litert-gpu", "qnn-htp", "webgpu"
KINDS = {"tflite": (LITERT_GPU,), "onnx": (QNN_HTP, WEBGPU), "pte": ()}
"""Kinds of accelerators by the format of the models that they run. The CPU, which runs any, is none of them."""


class Accelerator(NamedTuple):
    """Kind of accelerator, and options that its runtime knows.

    One of `KINDS`, the CPU, or a kind whose options name an execution provider of onnxruntime.
    """

    kind: str
    options: tuple[tuple[str, str], ...] = ()

    def option(self, name: str, default: str) -> str:
        """Value of an option, or `default`."""
        return dict(self.options).get(name, default)

    def arguments(self) -> tuple[str, ...]:
        """Arguments of the runner's verbs that `accelerator_of` reads."""
        options = (word for name, value in self.options for word in ("--accelerator-option", f"{name}={value}"))
        return "--accelerator", self.kind, *options


class AcceleratorFacts(NamedTuple):
    """Facts on a model that was loaded on an accelerator. Unknown values are None."""

    kind: str
    device: str | None
    """Name of the device by its driver: `Adreno (TM) 740`."""
    driver: str | None
    """Name and version of the driver."""
    software: bool
    """True if a program of the CPU stands in for the device: its times say nothing of any device's."""
    precision: str | None
    """Number format of the arithmetic: float16, float32, int8."""
    operators: int | None
    """Operators of the model."""
    taken: int | None
    """Operators that the accelerator runs."""
    left: tuple[tuple[str, int], ...] = ()
    """Kinds of operators that it refuses, each with the count of such operators in the model: it may take some."""
    cached: bool | None = None
    """True if kernels of an earlier load were used; None where the accelerator keeps none."""
    note: str = ""

    def written(self) -> dict[str, Any]:
        """Values for the host, as JSON has them."""
        return {**self._asdict(), "left": [list(pair) for pair in self.left]}


def accelerator_of(kind: str | None, options: Sequence[str]) -> Accelerator | None:
    """Request of a command line: a kind, and options `NAME=VALUE`. Raises RunnerError (usage) for one of no sense."""
    pairs = tuple((name, value) for name, sign, value in (text.partition("=") for text in options) if name and sign)
    if len(pairs) != len(options) or (options and kind is None):
        raise RunnerError("usage", "--accelerator-option is NAME=VALUE, beside --accelerator KIND")
    return None if kind is None else Accelerator(kind, pairs)
