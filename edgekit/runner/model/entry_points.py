"""Entry points of a decoder: one that reads a token, and one for each number of tokens that it reads at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .manifest import ModelTensor, RunnerManifest
from .tensors import Array, Call

PREFILL = "prefill_{}"
"""Name of the entry point that reads so many tokens: a method of a .pte, a signature of a .tflite, a second .onnx."""
DECODE = "decode"
"""Name of the signature of a .tflite with several, that reads one token."""


def entry_manifest(manifest: RunnerManifest, count: int) -> RunnerManifest:
    """Manifest of the entry point that reads `count` tokens; its answers are those to the last of them."""
    inputs = {pair.input for pair in manifest.state}
    appended = {pair.output: pair.append for pair in manifest.state}
    return manifest._replace(
        inputs=tuple(each if each.name in inputs else _with_size(each, 1, count) for each in manifest.inputs),
        outputs=tuple(_with_size(each, appended.get(each.name), count) for each in manifest.outputs),
        prefill=(),
    )


def by_count(manifest: RunnerManifest, decode: Call, load_prefill: Callable[[int], Call]) -> Call:
    """Make one function of all entry points: it takes a token, or as many as an entry point reads at once.

    load_prefill: loads the entry point that reads so many tokens, called once for each that is used.
    """
    if not manifest.prefill:
        return decode
    entries = {1: decode}
    tokens = manifest.inputs.index(manifest.sampled[0])

    def call(arrays: Sequence[Array]) -> list[Array]:
        count = arrays[tokens].shape[1]
        if count not in entries:
            entries[count] = load_prefill(count)
        return entries[count](arrays)

    return call


def _with_size(tensor: ModelTensor, axis: int | None, size: int) -> ModelTensor:
    return tensor._replace(shape=tuple(size if i == axis else each for i, each in enumerate(tensor.shape)))
