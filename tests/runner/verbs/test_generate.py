"""Texts that a decoder generates on the device, by the runner as a bare folder, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.runner.machine.memory_bandwidth import copied_bytes_per_s, last_cache_bytes
from edgekit.runner.model.manifest import ModelState, ModelTensor, RunnerManifest
from edgekit.runner.timing.instruction_counter import Counter, Sample
from edgekit.runner.timing.token_stream import counted_text
from edgekit.runner.verbs.generate import cache_places
from tests.runner.conftest import Answer, Bare
from tests.runner.runtimes.test_token_decoder import _expected, _manifest

TOKENIZER = {
    "model": {"type": "BPE", "vocab": {letter: i for i, letter in enumerate("abcdefg")}, "merges": []},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
    "decoder": {"type": "ByteLevel"},
}


def slot(folder: Path, cache: int = 7, tokenizer: bool = True) -> Path:
    """Slot of a decoder of seven tokens, `a` to `g`; its state is said to hold `cache` of them."""
    folder.mkdir()
    _manifest(folder)
    (folder / "tokenizer.json").write_text(json.dumps(TOKENIZER))
    edges = {"token": ["int64", [1, 1]], "memory": ["float32", [1, 7]]}
    inputs = [{"name": name, "dtype": dtype, "shape": shape, "affine": None} for name, (dtype, shape) in edges.items()]
    outputs = [{**inputs[1], "name": name} for name in ("logits", "memory_out")]
    state = [{"input": "memory", "output": "memory_out", "initial": None}]
    manifest = {
        "schema": 2,
        "format": "onnx",
        "model": ["model.onnx"],
        "options": [],
        "signature": {"inputs": inputs, "outputs": outputs, "state": state},
        "golden": {"tolerance": 0},
        "tokenizers": {"token": {"path": "tokenizer.json", "golden": {}}} if tokenizer else {},
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


def ask(bare: Bare, model: Path, prompt: str | list[int], *argv: object) -> Answer:
    folder = model.parent / "in"
    folder.mkdir()
    if isinstance(prompt, str):
        np.save(folder / "text.npy", np.frombuffer(prompt.encode(), np.uint8))
    else:
        np.save(folder / "tokens.npy", np.array(prompt, np.int64))
    out = model.parent / "out"
    out.mkdir()
    return bare.ask("generate", model, "--inputs", folder, "--out", out, *argv)


def greedy(prompt: list[int], count: int) -> list[int]:
    text = list(prompt)
    for _ in range(count):
        text.append(int(_expected(text).argmax()))
    return text[len(prompt) :]


def test_a_text_is_the_most_likely_one_and_each_of_its_tokens_is_timed(bare: Bare, tmp_path: Path) -> None:
    argv = ("--count", 6, "--min-count", 23, "--min-duration", 0)
    folder = slot(tmp_path / "slot")
    for name in ("weights.bin", "prefill_16.onnx"):
        (folder / name).write_bytes(bytes(1000))
    answer = ask(bare, folder, "dbe", *argv)
    assert answer.code == 0, answer.document
    said = answer.document
    tokens = greedy([3, 1, 4], 6)
    assert (said["prompt_tokens"], said["tokens"]) == (3, tokens)
    assert said["text"] == "".join("abcdefg"[token] for token in tokens)
    assert (said["texts"], said["timed"]) == (5, 25)
    firsts, times = (np.load(tmp_path / "out" / f"{name}.npy") for name in ("first_token_ns", "token_ns"))
    assert (firsts.shape, times.shape) == ((5,), (25,))
    assert firsts.min() > 0
    assert times.min() > 0
    assert [place["tokens"] for place in said["memory"]] == [3, 4, 5, 6, 7, 8]
    assert all(place["rss_bytes"] > 10e6 for place in said["memory"])
    assert said["state_bytes"] == 7 * 4
    # What reads prompts, several tokens at once, is not read for a token.
    assert said["model_bytes"] == (tmp_path / "slot" / "model.onnx").stat().st_size + 1000
    assert said["copied_bytes_per_s"] > 1e8
    # None where this machine's kernel counts none.
    counts = said["prompt_instructions"], said["token_instructions"]
    assert counts == (None, None) or min(counts) > 1000


def test_instructions_are_of_the_prompt_and_of_the_cheapest_token_behind_it() -> None:
    class Counted(Counter):
        def __init__(self) -> None:
            self.costs = iter((900, 120, 100, 110))

        def each(self, call: Callable[[Sample], Any], sample: Sample, count: int) -> list[int]:
            call(sample)
            return [next(self.costs)]

    class Heard:
        def __init__(self) -> None:
            self.calls: list[object] = []

        def reset(self) -> None:
            self.calls.append("reset")

        def prefill(self, tokens: Sequence[int]) -> np.ndarray:
            self.calls.append(tokens)
            return np.zeros(1)

        def decode(self, token: int) -> np.ndarray:
            self.calls.append(token)
            return np.zeros(1)

    decoder = Heard()
    assert counted_text(decoder, [1, 2], [3, 4, 5], Counted()) == (900, 100)
    assert decoder.calls == ["reset", [1, 2], 3, 4, 5]


def test_a_text_lasts_as_long_as_asked(bare: Bare, tmp_path: Path) -> None:
    argv = ("--count", 4, "--min-count", 1, "--min-duration", 0.7)
    answer = ask(bare, slot(tmp_path / "slot"), [3], *argv)
    assert answer.code == 0, answer.document
    firsts, times = (np.load(tmp_path / "out" / f"{name}.npy") for name in ("first_token_ns", "token_ns"))
    assert firsts.sum() + times.sum() > 0.4e9
    assert answer.document["watched"]


@pytest.mark.parametrize(
    ("prompt", "tokenizer", "message"),
    [
        ("dz", True, "the prompt has no token"),
        ("", True, "the prompt has no token"),
        ("dbe", False, "the bundle has no tokenizer of 'token'"),
        ([3, 7], True, "the prompt has the token 7, 'token' takes 0 to 6"),
    ],
)
def test_a_prompt_that_is_none_is_refused_before_a_runtime_is_imported(
    bare: Bare, tmp_path: Path, prompt: str | list[int], tokenizer: bool, message: str
) -> None:
    if prompt == "dz":
        prompt = "zz"  # no letter is a token
    answer = ask(
        bare, slot(tmp_path / "slot", tokenizer=tokenizer), prompt, "--count", 2, "--min-count", 1, "--min-duration", 0
    )
    assert answer.code == 1
    assert answer.document["kind"] == "data"
    assert message in answer.document["error"]
    assert not list((tmp_path / "out").iterdir())


def test_the_cache_holds_as_many_tokens_as_its_appended_axis_or_its_longest_common_one(tmp_path: Path) -> None:
    manifest = _manifest(tmp_path)
    assert cache_places(manifest) is None
    token = manifest.inputs[0]
    caches = tuple(ModelTensor(name, "float32", (1, 2, 48, 16), None, 0) for name in ("keys", "values"))
    state = tuple(ModelState(one.name, f"{one.name}_out", None) for one in caches)
    cached: RunnerManifest = manifest._replace(inputs=(token, *caches), state=state)
    assert cache_places(cached) == 48
    appended: RunnerManifest = cached._replace(state=tuple(pair._replace(append=3) for pair in state))
    assert cache_places(appended) == 16


def test_the_bandwidth_of_the_memory_is_that_of_a_machine() -> None:
    assert 1e8 < copied_bytes_per_s(1) < 1e12


def test_the_largest_cache_is_read_in_bytes(tmp_path: Path) -> None:
    for i, size in enumerate(("32K\n", "8M\n", "odd\n")):
        (tmp_path / f"index{i}").mkdir()
        (tmp_path / f"index{i}" / "size").write_text(size)
    assert last_cache_bytes(tmp_path) == 8 << 20
    assert last_cache_bytes(tmp_path / "none") == 0
