"""A decoder on the device: it reads tokens, remembers them in its state, and scores the next one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from edgekit.ir.measurement import Array
from edgekit.runner.errors import RunnerError
from edgekit.runner.model.entry_points import entry_manifest
from edgekit.runner.model.manifest import ModelState, ModelTensor, RunnerManifest
from edgekit.runner.runtimes import token_decoder
from edgekit.runner.runtimes.token_decoder import TokenDecoder, greedy

TABLE = np.random.default_rng(0).standard_normal((7, 7)).astype(np.float32)


def _manifest(folder: Path, dtype: str = "int64") -> RunnerManifest:
    """Decoder of seven tokens: logits = table[token] + memory, memory_out = logits / 2."""
    from onnx import TensorProto, helper, numpy_helper

    kinds = {"token": TensorProto.INT64 if dtype == "int64" else TensorProto.FLOAT}
    shapes = {"token": [1, 1]}
    infos = [
        [helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), shapes.get(name, [1, 7]))]
        for name in ("token", "memory", "logits", "memory_out")
    ]
    nodes = [
        helper.make_node("Cast", ["token"], ["number"], to=TensorProto.INT64),
        helper.make_node("Reshape", ["number", "single"], ["flat"]),
        helper.make_node("Gather", ["table", "flat"], ["row"]),
        helper.make_node("Add", ["row", "memory"], ["logits"]),
        helper.make_node("Mul", ["logits", "half"], ["memory_out"]),
    ]
    constants = {"single": np.array([1]), "table": TABLE, "half": np.array(0.5, np.float32)}
    graph = helper.make_graph(
        nodes,
        "decoder",
        infos[0] + infos[1],
        infos[2] + infos[3],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    inputs = ModelTensor("token", dtype, (1, 1), None, 0), ModelTensor("memory", "float32", (1, 7), None, 0)
    outputs = tuple(ModelTensor(name, "float32", (1, 7), None, 0) for name in ("logits", "memory_out"))
    state = (ModelState("memory", "memory_out", None),)
    return RunnerManifest("onnx", folder / "model.onnx", (), inputs, outputs, 0.0, state=state)


def _expected(tokens: list[int]) -> Array:
    logits = np.zeros(7, np.float32)
    for token in tokens:
        logits = TABLE[token] + logits / 2
    return logits


def test_a_prompt_is_read_then_a_token_at_a_time(tmp_path: Path) -> None:
    decoder = TokenDecoder(_manifest(tmp_path), 1)
    np.testing.assert_allclose(decoder.prefill([3, 1, 4]), _expected([3, 1, 4]), rtol=1e-6)
    np.testing.assert_allclose(decoder.decode(5), _expected([3, 1, 4, 5]), rtol=1e-6)
    assert (decoder.position, decoder.vocabulary) == (4, 7)
    decoder.reset()
    np.testing.assert_allclose(decoder.prefill([2]), _expected([2]), rtol=1e-6)


def test_greedy_text_takes_the_largest_logit_until_its_end(tmp_path: Path) -> None:
    decoder = TokenDecoder(_manifest(tmp_path), 1)
    text = [3]
    for _ in range(6):
        text.append(int(_expected(text).argmax()))
    assert list(greedy(decoder, [3], 6)) == text[1:]
    decoder.reset()
    stopped = list(greedy(decoder, [3], 6, stop=[text[2]]))
    assert stopped == text[1 : 2 + text[1:].index(text[2])]


def test_what_is_no_decoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunnerError, match="one token"):
        TokenDecoder(_manifest(tmp_path, "float32"), 1)
    with pytest.raises(RunnerError, match="has state"):
        TokenDecoder(_manifest(tmp_path)._replace(state=()), 1)
    with pytest.raises(RunnerError, match="one token at least"):
        TokenDecoder(_manifest(tmp_path), 1).prefill([])


def test_a_prompt_is_read_in_the_largest_chunks_that_fit_and_never_beyond_the_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model sums the tokens; its cache is what it read, an entry a token."""
    read: list[int] = []

    def call(arrays: Sequence[Array]) -> list[Array]:
        tokens, cache = arrays
        read.append(tokens.shape[1])
        logits = np.eye(7, dtype=np.float32)[int(cache.sum() + tokens.sum()) % 7]
        return [logits[None], tokens.astype(np.float32)]

    inputs = ModelTensor("token", "int64", (1, 1), None, 0), ModelTensor("read", "float32", (1, 12), None, 0)
    outputs = ModelTensor("logits", "float32", (1, 7), None, 0), ModelTensor("row", "float32", (1, 1), None, 0)
    state = (ModelState("read", "row", None, append=1),)
    manifest = RunnerManifest("onnx", tmp_path / "m.onnx", (), inputs, outputs, 0.0, state=state, prefill=(2, 4))
    monkeypatch.setattr(token_decoder, "load", lambda runtime, manifest, threads: call)
    decoder = TokenDecoder(manifest, 1)
    assert sorted(read) == [1, 2, 4]
    read.clear()
    assert decoder.prefill([1, 2, 3, 4, 5, 6, 1]).argmax() == 22 % 7
    assert read == [4, 2, 1]
    assert decoder.decode(2).argmax() == 24 % 7
    with pytest.raises(RunnerError, match="a prompt of 5 tokens behind 8 others is longer than the cache, which holds"):
        decoder.prefill([1, 2, 3, 4, 5])
    assert decoder.position == 8


def test_an_entry_point_has_the_sizes_of_its_tokens() -> None:
    inputs = ModelTensor("token", "int64", (1, 1), None, 0), ModelTensor("keys", "float32", (2, 3, 9, 4), None, 0)
    outputs = ModelTensor("logits", "float32", (1, 7), None, 0), ModelTensor("rows", "float32", (2, 3, 1, 4), None, 0)
    state = (ModelState("keys", "rows", None, append=2),)
    manifest = RunnerManifest("pte", Path("m.pte"), (), inputs, outputs, 0.0, state=state, prefill=(4,))
    entry = entry_manifest(manifest, 4)
    assert [tensor.shape for tensor in entry.inputs] == [(1, 4), (2, 3, 9, 4)]
    assert [tensor.shape for tensor in entry.outputs] == [(1, 7), (2, 3, 4, 4)]
