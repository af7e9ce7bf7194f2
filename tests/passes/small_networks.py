"""Tiny networks and their programs, for tests of passes; quantized as the onnx backend does it: the quickest."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from edgekit.backends.onnx import Onnx
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature
from edgekit.passes.quantization.quantize import Quantization
from edgekit.passes.quantization.simulate import answers, stacked, unguarded
from edgekit.specs.compression import Quantize
from edgekit.specs.target import RuntimeSpec

Samples = list[tuple[Tensor, ...]]
RUNTIME = RuntimeSpec(backend="onnx", delegates=("cpu",), activations="uint8")


def onnx(recipe: Quantize) -> Quantization:
    return Onnx().quantization(recipe, RUNTIME)


def program(net: nn.Module, example: Tensor) -> Program:
    """The network as a program for one sample; it has no signature, which passes do not look at."""
    with torch.no_grad():
        return Program(torch.export.export(net.eval(), (example,)), Signature((), ()))


def one_by_one(batch: Tensor) -> Samples:
    return [(sample[None],) for sample in batch]


def outputs(program: Program, samples: Sequence[tuple[Tensor, ...]]) -> Tensor:
    """The first output on all samples, [N, …], taken together."""
    return answers(unguarded(program.exported.module()), stacked(samples, len(samples)))[0]
