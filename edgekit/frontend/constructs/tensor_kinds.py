"""Tensors that are no plain arrays of real numbers, and code that goes around torch's operators."""

from __future__ import annotations

import ast

from edgekit.frontend.constructs.construct import CaptureFailure, Construct

LEAKED = "fake tensor in the exported program constant"
"""Message for a value that came into the program by a way that torch did not see."""
PACKING = frozenset({"pack_padded_sequence", "pack_sequence"})

THREADS = ("Thread", "submit", "pool")


def _names(failure: CaptureFailure) -> str:
    """Source of the function around the line."""
    return ast.unparse(failure.syntax.function) if failure.syntax.function else ""


def _packs(failure: CaptureFailure) -> bool:
    calls = failure.syntax.calls if failure.value_needed else failure.syntax.calls_of_function | failure.syntax.calls
    return bool(failure.message) and any(call.rpartition(".")[2] in PACKING for call in calls)


KINDS = (
    Construct(
        "complex",
        "complex numbers",
        "torch.fft.rfft(x), torch.stft(x, …), torch.view_as_complex(x)",
        "compute the real and the imaginary part each: x @ C and x @ S with buffers C = a.cos(), S = a.sin(), "
        "a = 2 * torch.pi * torch.arange(N)[:, None] * torch.arange(N // 2 + 1) / N; "
        "for rotary embeddings x.unflatten(-1, (-1, 2)).unbind(-1) with cos and sin as buffers",
        lambda failure: failure.operator == "complex",
    ),
    Construct(
        "sparse",
        "sparse tensors",
        "torch.sparse.mm(self.a, x)",
        "make them dense in __init__: self.register_buffer('a', a.to_dense()); then self.a @ x",
        lambda failure: failure.operator == "sparse",
    ),
    Construct(
        "nested",
        "nested or jagged tensors",
        "torch.nested.nested_tensor([a, b])",
        "pad to one length, torch.nn.utils.rnn.pad_sequence([a, b], batch_first=True), and mask what is padded",
        lambda failure: "nested_tensor" in failure.message or any("nested" in call for call in failure.syntax.calls),
    ),
    Construct(
        "padded-transformer",
        "a transformer that cuts padding out",
        "nn.TransformerEncoder(layer, 6)  called with src_key_padding_mask",
        "compute what is padded too, nn.TransformerEncoder(layer, 6, enable_nested_tensor=False), and make it 0 where "
        "it is read: torch.where(mask[..., None], 0.0, y)",
        lambda failure: failure.operator == "specialized" and "torch.nn.modules.transformer" in failure.modules,
    ),
    Construct(
        "packed",
        "packed sequences",
        "pack_padded_sequence(x, lengths)",
        "run the network on the padded sequence, y, _ = self.gru(x), and mask the rest: "
        "torch.where((torch.arange(y.shape[1]) < lengths[:, None])[:, :, None], y, 0)",
        _packs,
    ),
    Construct(
        "subclass",
        "a tensor of a class of its own",
        "x.as_subclass(Boxes)",
        "keep plain tensors: in place of the class's methods call functions on x",
        lambda failure: "new Tensor subclass" in failure.message,
    ),
    Construct(
        "quantized-module",
        "a module that torch.ao or torchao has quantized",
        "torch.ao.quantization.quantize_dynamic(network)",
        "return the network in float32 from the factory: edgekit quantizes it, as the profile says",
        lambda failure: "quantized" in failure.message and "__obj_flatten__" in failure.message,
    ),
    Construct(
        "data-attribute",
        "a write into the memory of a tensor through .data",
        "x.data.mul_(2)",
        "give the result a name of its own, x = x * 2; change weights in the factory, before the network is returned",
        lambda failure: (LEAKED in failure.message or failure.operator == "specialized") and ".data" in _names(failure),
    ),
    Construct(
        "thread",
        "threads in forward",
        "pool.submit(self.branch, x)",
        "call it: self.branch(x); the runtime on the device spreads the work itself",
        lambda failure: LEAKED in failure.message and any(word in _names(failure) for word in THREADS),
    ),
)
