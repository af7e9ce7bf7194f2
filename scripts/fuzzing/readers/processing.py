"""Readers of what is done to raw samples: functions that a bundle brings, tokenizers, and recordings."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path

import numpy as np

from edgekit.datasets.recordings import read_recording
from edgekit.runner.errors import RunnerError
from edgekit.runner.processing.array_function import parse_function
from edgekit.runner.processing.tokenization import read_tokenization
from scripts.fuzzing.readers.reader import Reader, Readers, on_device, text_of

PICTURE = np.arange(12 * 9 * 3, dtype=np.uint8).reshape(12, 9, 3)
FUNCTION = b"""def prepare(x):
    mean = np.array([0.5, 0.25, 0.125], np.float32)
    for i in range(2):
        x = x[1:, 1:-1] + x[:-1, 1:-1] // 2
    if x.ndim == 2:
        x = np.stack([x, x, x], axis=-1)
    y = np.pad(x.astype(np.float32) / 255 - mean, ((1, 1), (0, 0), (0, 0)), mode='edge')
    y[..., 0] *= 2
    return np.where(y > 0, y, y ** 2).transpose(2, 0, 1).reshape(3, -1)[:, ::2]
"""
UNIGRAM = {
    "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFKC"}, {"type": "Lowercase"}]},
    "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True},
    "model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["\u2581", -2.0], ["a", -2.5], ["ab", -3.0]]},
}
BYTE_PAIRS = {
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": True},
    "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0]},
    "model": {"type": "BPE", "vocab": {"<s>": 0, "</s>": 1, "a": 2, "b": 3, "ab": 4, "\u0120": 5}, "merges": ["a b"]},
}


def readers(_: Path) -> Readers:
    tokenizers = tuple(json.dumps(each).encode() for each in (UNIGRAM, BYTE_PAIRS))
    return {
        "function of preprocessing": Reader(
            on_device(lambda path: parse_function(text_of(path))(PICTURE)), (FUNCTION,), "function.py"
        ),
        "tokenizer": Reader(on_device(_tokenized), tokenizers, "tokenizer.json"),
        "recording": Reader(lambda path: read_recording(path, "it"), (_recording(),), "it.wav"),
    }


def _tokenized(path: Path) -> object:
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise RunnerError("data", f"it is no JSON: {error}") from error
    return read_tokenization(content).encode("It's aab \u00e9\u6771 42!")


def _recording() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(2)
        out.setframerate(8000)
        out.writeframes(np.arange(120, dtype="<i2").tobytes())
    return file.getvalue()
