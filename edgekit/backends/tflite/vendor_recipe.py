"""LiteRT's own recipes for int8, symmetric and per channel: litert-torch's quantizer, and ai-edge-quantizer's."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from typing import Any

import litert_torch
from ai_edge_litert.interpreter import Interpreter
from ai_edge_quantizer import recipe
from ai_edge_quantizer.quantizer import Quantizer
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


def vendor_file(
    program: Program, samples: Sequence[tuple[Tensor, ...]], dynamic: bool = False
) -> tuple[bytes, Signature]:
    """Quantize a float program as the documentation of litert-torch and ai-edge-quantizer does, and convert it.

    dynamic: activations are rounded as they come. Returns the file and its signature: it may take and give integers.
    Raises whatever its tools raise.
    """
    module: Any = program.exported.module()
    options = {}
    if not dynamic:
        quantizer = PT2EQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
        module = prepare_pt2e(module, quantizer)
        for sample in samples:
            module(*sample)
        module = convert_pt2e(module, fold_quantize=False)
        options = {"quant_config": QuantConfig(pt2e_quantizer=quantizer)}
    with contextlib.redirect_stdout(sys.stderr):
        content = litert_torch.convert(OutputTuple(module), samples[0], **options).model_content()
        if dynamic:
            quantized = Quantizer(bytearray(content), recipe.dynamic_wi8_afp32()).quantize()
            content = bytes(quantized.quantized_model)
        content = bytes(with_names(content, program.signature))
    return content, signature(Interpreter(model_content=content))
