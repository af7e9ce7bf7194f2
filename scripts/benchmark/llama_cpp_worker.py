"""llama.cpp's side of `scripts/bench generate`, by a Python that has `llama-cpp-python` and `gguf`, without edgekit.

python -m scripts.benchmark.llama_cpp_worker convert WEIGHTS OUT.gguf q8_0
python -m scripts.benchmark.llama_cpp_worker generate MODEL.gguf THREADS     # then as decoder_worker says
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from scripts.benchmark.decoder_worker import serve

BLOCK = 32
"""Weights of a block of q8_0 and q4_0."""
FILE_TYPES = {"f32": "ALL_F32", "q8_0": "MOSTLY_Q8_0", "q4_0": "MOSTLY_Q4_0"}
NAMES = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output", "ffn_norm", "ffn_gate", "ffn_down", "ffn_up")


def tensors(weights: Path) -> tuple[tuple[int, ...], Iterator[tuple[str, Any]]]:
    """Sizes of a version-0 export (see `tests/stories_project`), and its tensors by their names in GGUF, float32.

    Sizes: width, hidden width, layers, heads, heads of keys, vocabulary, places.
    """
    content = np.memmap(weights, np.uint8, "r")
    size, hidden, layers, heads, groups, vocabulary, _ = sizes = struct.unpack("7i", content[:28].tobytes())
    cached = groups * size // heads
    shapes = [(size,), (size, size), (cached, size), (cached, size), (size, size)]
    shapes += [(size,), (hidden, size), (size, hidden), (hidden, size)]
    numbers = content[28:].view(np.float32)

    def named() -> Iterator[tuple[str, Any]]:
        at = vocabulary * size
        yield "token_embd", numbers[:at].reshape(vocabulary, size)
        for name, shape in zip(NAMES, shapes, strict=True):
            count = int(np.prod(shape))
            for layer in range(layers):
                yield f"blk.{layer}.{name}", numbers[at : at + count].reshape(shape)
                at += count
        yield "output_norm", numbers[at : at + size]

    return sizes, named()


def convert(weights: Path, out: Path, precision: str) -> None:
    """Write a GGUF file without a tokenizer. Rows that blocks of 32 do not fill are in half, as llama.cpp has them."""
    import gguf

    (size, hidden, layers, heads, groups, vocabulary, longest), named = tensors(weights)
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_context_length(longest)
    writer.add_embedding_length(size)
    writer.add_block_count(layers)
    writer.add_feed_forward_length(hidden)
    writer.add_head_count(heads)
    writer.add_head_count_kv(groups)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(size // heads)
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("no_vocab")
    writer.add_file_type(gguf.LlamaFileType[FILE_TYPES[precision]])
    for name, values in named:
        kind = gguf.GGMLQuantizationType[precision.upper()]
        if values.ndim == 1:
            kind = gguf.GGMLQuantizationType.F32
        elif precision != "f32" and values.shape[1] % BLOCK:
            kind = gguf.GGMLQuantizationType.F16
        writer.add_tensor(f"{name}.weight", gguf.quants.quantize(np.array(values), kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class LlamaDecoder:
    """A model in llama.cpp's own runtime, with a cache in float32, as edgekit's is."""

    def __init__(self, path: str, threads: int) -> None:
        import llama_cpp

        self._cpp = llama_cpp
        llama_cpp.llama_backend_init()
        self._silent = llama_cpp.llama_log_callback(lambda *_: None)
        llama_cpp.llama_log_set(self._silent, None)
        self._model = llama_cpp.llama_model_load_from_file(path.encode(), llama_cpp.llama_model_default_params())
        options = llama_cpp.llama_context_default_params()
        fields = {"n_ctx": llama_cpp.llama_model_n_ctx_train(self._model)}
        fields |= dict.fromkeys(("n_threads", "n_threads_batch"), threads)
        fields |= dict.fromkeys(("type_k", "type_v"), llama_cpp.GGML_TYPE_F32)
        for name, value in fields.items():
            setattr(options, name, value)
        self._context = llama_cpp.llama_init_from_model(self._model, options)
        self._count = llama_cpp.llama_vocab_n_tokens(llama_cpp.llama_model_get_vocab(self._model))

    def reset(self) -> None:
        self._cpp.llama_memory_clear(self._cpp.llama_get_memory(self._context), True)

    def prefill(self, tokens: Sequence[int]) -> Any:
        ids = (self._cpp.llama_token * len(tokens))(*tokens)
        if self._cpp.llama_decode(self._context, self._cpp.llama_batch_get_one(ids, len(tokens))):
            raise RuntimeError("llama_decode failed")
        return np.ctypeslib.as_array(self._cpp.llama_get_logits_ith(self._context, -1), (self._count,))

    def decode(self, token: int) -> Any:
        return self.prefill([token])


if __name__ == "__main__":
    if sys.argv[1] == "convert":
        convert(Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
    else:
        serve(lambda: LlamaDecoder(sys.argv[2], int(sys.argv[3])))
