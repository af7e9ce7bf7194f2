"""Verb `generate`: continue a prompt by a language model, and time its tokens."""

from __future__ import annotations

import contextlib
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

from ..errors import RunnerError
from ..files.durable import read_json
from ..files.integrity import digest_of_file
from ..machine import system
from ..machine.conditions import conditions
from ..machine.memory_bandwidth import copied_bytes_per_s, last_cache_bytes
from ..machine.runtime_versions import installed
from ..model.manifest import RunnerManifest, read_manifest
from ..model.tensors import save
from ..processing.detokenization import text_of
from ..processing.tokenization import read_tokenization
from ..runtimes.token_decoder import TokenDecoder, check_decoder
from ..timing.cooling import cool_down
from ..timing.disturbance import DisturbanceWatch
from ..timing.instruction_counter import Counter
from ..timing.token_stream import TokenInstructions, counted_text, first_text, timed_texts

TEXT, TOKENS = "text.npy", "tokens.npy"
"""Files of the prompt: bytes of a text in UTF-8, uint8 [N], or token ids, int64 [N]."""
WEIGHTS = "weights.bin"
"""File that several .onnx share their weights in."""


def generate(
    slot: Path,
    inputs: Path,
    out: Path,
    count: int,
    min_count: int,
    min_duration_s: float,
    threads: int,
    cool: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """Generate `count` tokens behind the prompt in `inputs`, once untimed, then until enough was timed.

    Writes `out/first_token_ns.npy`, int64 [texts], and `out/token_ns.npy`, int64 [M]. cool: temperature in °C to wait
    for before the run, and the longest wait in seconds. Raises RunnerError (data) for a model that is no decoder, a
    tokenizer that does not fit its vocabulary, and a prompt that is empty or longer than the cache.
    """
    manifest = read_manifest(slot)
    check_decoder(manifest)
    prompt = _prompt(inputs, manifest)
    _check_room(manifest, len(prompt), count)
    cooled = cool_down(*cool) if cool else None
    before = conditions()
    empty_rss_bytes = system.rss_bytes()
    with contextlib.ExitStack() as stack:
        counter = _counter(stack)
        started = perf_counter_ns()
        decoder = TokenDecoder(manifest, threads)
        load_ns = perf_counter_ns() - started
        first = first_text(decoder, prompt, count)
        counted = counted_text(decoder, prompt, first.tokens, counter) if counter else TokenInstructions()
    watch = DisturbanceWatch()
    timed = timed_texts(decoder, prompt, count, min_count, min_duration_s, watch.look, watch.start)
    peak_rss_bytes = system.peak_rss_bytes()
    after = conditions()
    save(out / "first_token_ns.npy", timed.first_token_ns)
    save(out / "token_ns.npy", timed.token_ns)
    return {
        "load_ns": load_ns,
        "first_ns": first.first_ns,
        "peak_rss_bytes": peak_rss_bytes,
        "empty_rss_bytes": empty_rss_bytes,
        "model_sha256": digest_of_file(manifest.model),
        "runtime": decoder.runtime,
        "provider": None,
        "planned_provider": None,
        "threads": threads,
        "info": {**system.info(), "runtimes": installed()},
        "count": max(1, len(timed.token_ns)),
        "warm_up_count": len(first.tokens),
        "warm_up_ns": first.whole_ns,
        "steady": first.steady,
        "before": before,
        "after": after,
        "watched": watch.spans,
        "cooled": cooled,
        "texts": len(timed.first_token_ns),
        "timed": len(timed.token_ns),
        "prompt_tokens": len(prompt),
        "tokens": first.tokens,
        "text": _text(manifest, first.tokens),
        "prompt_instructions": counted.prompt,
        "token_instructions": counted.token,
        "memory": [{"tokens": tokens, "rss_bytes": rss} for tokens, rss in first.memory],
        "model_bytes": sum(path.stat().st_size for path in _files(manifest)),
        "state_bytes": sum(_bytes(tensor) for tensor in manifest.inputs if tensor not in manifest.sampled),
        "copied_bytes_per_s": copied_bytes_per_s(min(threads, system.info()["cores"])),
        "last_cache_bytes": last_cache_bytes(),
    }


def _counter(stack: contextlib.ExitStack) -> Counter | None:
    """Counter of instructions, which `stack` closes; None where the kernel gives none."""
    try:
        return stack.enter_context(Counter())
    except RunnerError:
        return None


def _prompt(inputs: Path, manifest: RunnerManifest) -> list[int]:
    """Token ids of the prompt. Raises RunnerError (data)."""
    name, vocabulary = manifest.sampled[0].name, manifest.reported[0].shape[-1]
    content = _tokenizer(manifest)
    if (inputs / TEXT).is_file():
        if content is None:
            raise RunnerError("data", f"the bundle has no tokenizer of '{name}': give token ids in place of a text")
        ids = read_tokenization(content).encode(np.load(inputs / TEXT, allow_pickle=False).tobytes().decode())
    else:
        ids = [int(id) for id in np.load(inputs / TOKENS, allow_pickle=False)]
    if not ids:
        raise RunnerError("data", "the prompt has no token")
    wrong = next((id for id in ids if not 0 <= id < vocabulary), None)
    if wrong is not None:
        what = "its tokenizer does not fit: " if (inputs / TEXT).is_file() else ""
        raise RunnerError("data", f"{what}the prompt has the token {wrong}, '{name}' takes 0 to {vocabulary - 1}")
    return ids


def _check_room(manifest: RunnerManifest, prompt: int, count: int) -> None:
    """Raise RunnerError (data) if the prompt and all tokens but the last, which is not read, do not fit the cache."""
    capacity = cache_places(manifest)
    if capacity is None or prompt + count - 1 <= capacity:
        return
    if prompt > capacity:
        raise RunnerError("data", f"the prompt of {prompt} tokens is longer than the cache, which holds {capacity}")
    most = capacity - prompt + 1
    raise RunnerError(
        "data", f"{count} tokens behind a prompt of {prompt} do not fit the cache of {capacity}: {most} do"
    )


def cache_places(manifest: RunnerManifest) -> int | None:
    """Number of tokens that the cache holds, by the axis that is appended to; None where there is none.

    Of state that a step gives whole, the longest axis that all tensors with three axes or more have: an upper bound.
    """
    shapes_by_name = {tensor.name: tensor.shape for tensor in manifest.inputs}
    appended = [shapes_by_name[pair.input][pair.append] for pair in manifest.state if pair.append is not None]
    if appended:
        return min(appended)
    shapes = [shapes_by_name[pair.input] for pair in manifest.state if len(shapes_by_name[pair.input]) > 2]
    common = set.intersection(*(set(shape) for shape in shapes)) if shapes else set()
    return max(common, default=None)


def _tokenizer(manifest: RunnerManifest) -> Any:
    """Parsed tokenizer of the input of tokens; None if the bundle has none."""
    stated = manifest.tokenizers.get(manifest.sampled[0].name)
    return read_json(stated.file, "data") if stated else None


def _text(manifest: RunnerManifest, tokens: list[int]) -> str | None:
    content = _tokenizer(manifest)
    return None if content is None else text_of(tokens, content)


def _files(manifest: RunnerManifest) -> list[Path]:
    """Files of the entry point that reads a token: its own, and those of its weights beside it."""
    files = [path for path in manifest.model.parent.iterdir() if path.is_file()]
    return [path for path in files if path.name.startswith("model") or path.name == WEIGHTS]


def _bytes(tensor: Any) -> int:
    size: int = np.dtype(tensor.dtype).itemsize * int(np.prod(tensor.shape))
    return size
