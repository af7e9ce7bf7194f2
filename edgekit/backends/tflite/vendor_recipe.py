"""LiteRT's own recipe for int8: litert-torch's quantizer, symmetric and per channel."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import Any

import litert_torch
from ai_edge_litert.interpreter import Interpreter
from litert_torch.quantize.pt2e_quantizer import PT2EQuantizer, get_symmetric_quantization_config
from litert_torch.quantize.quant_config import QuantConfig
from torch import Tensor, nn
from torch.utils import _pytree as pytree
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from edgekit.backends.tflite.flatbuffer_names import with_names
from edgekit.backends.tflite.interpreter import signature
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature


class OutputTuple(nn.Module):
    """Module with its outputs as a tuple, so that the converter numbers them in the signature's order."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self.training = False  # an exported module refuses eval()

    def forward(self, *inputs: Tensor) -> tuple[Any, ...]:
        return tuple(pytree.tree_leaves(self.module(*inputs)))


def vendor_file(program: Program, samples: Sequence[tuple[Tensor, ...]]) -> tuple[bytes, Signature]:
    """Quantize a float program as litert-torch's documentation does, and convert it.

    Returns the file and its signature: it may take and give integers. Raises whatever its tools raise.
    """
    quantizer = PT2EQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(program.exported.module(), quantizer)
    for sample in samples:
        prepared(*sample)
    module = OutputTuple(convert_pt2e(prepared, fold_quantize=False))
    with contextlib.redirect_stdout(sys.stderr):
        model = litert_torch.convert(module, samples[0], quant_config=QuantConfig(pt2e_quantizer=quantizer))
        content = with_names(model.model_content(), program.signature)
    edges = Interpreter(model_content=content)
    return content, signature(edges)
