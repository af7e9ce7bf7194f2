"""A tokenizer that is another one is refused, and so are token ids above its vocabulary."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.datasets.tokenizer import read_tokenizer, read_tokenizers
from edgekit.errors import DataError, SampleUnfit, SpecError, TokenizerMismatch
from edgekit.samples import load_samples
from edgekit.specs.project import Project
from edgekit.specs.tokenizer import TokenizerSpec

WORDPIECE: dict[str, Any] = {
    "added_tokens": [{"id": 5, "content": "[MASK]"}],
    "normalizer": {
        "type": "BertNormalizer",
        "clean_text": True,
        "handle_chinese_chars": True,
        "strip_accents": None,
        "lowercase": True,
    },
    "pre_tokenizer": {"type": "BertPreTokenizer"},
    "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1]},
    "model": {
        "type": "WordPiece",
        "unk_token": "[UNK]",
        "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100,
        "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "hello": 3, "##s": 4},
    },
}
TOML = """
[model]
factory = "model.py:make"
classes = ["a", "b"]

[inputs.tokens]
shape = [4]
dtype = "{dtype}"
tokenizer = {{ file = "tokenizer.json"{more} }}

[data]
evaluation = {{ path = "data.npz", licence = "none", source = "made up" }}
"""


def write(folder: Path, content: Any = WORDPIECE) -> str:
    """Write the tokenizer; its SHA-256."""
    raw = json.dumps(content).encode()
    (folder / "tokenizer.json").write_bytes(raw)
    return hashlib.sha256(raw).hexdigest()


def stated(folder: Path, more: str = "", dtype: str = "int64") -> Project:
    (folder / "edgekit.toml").write_text(TOML.format(more=more, dtype=dtype))
    return Project.read(folder)


def data(folder: Path, *ids: int) -> None:
    np.savez(folder / "data.npz", tokens=np.array([ids], np.int64), labels=np.zeros(1, np.int64))


def test_the_right_tokenizer_passes(tmp_path: Path) -> None:
    sha256 = write(tmp_path)
    data(tmp_path, 1, 3, 4, 5)
    project = stated(tmp_path, f', sha256 = "{sha256}", golden = {{ "Hellos hello" = [1, 3, 4, 3, 2] }}')
    assert load_samples(project, "evaluation").inputs["tokens"].tolist() == [[1, 3, 4, 5]]
    spec = project.inputs["tokens"].tokenizer
    assert spec
    tokenizer = read_tokenizer(tmp_path, "tokens", spec)
    assert (tokenizer.size, tokenizer.sha256) == (6, sha256)


def test_another_file_is_refused_by_its_digest(tmp_path: Path) -> None:
    write(tmp_path)
    data(tmp_path, 1, 3, 4, 2)
    project = stated(tmp_path, f', sha256 = "{"0" * 64}"')
    with pytest.raises(TokenizerMismatch, match=r"0000000000000000… is stated: it is another one") as caught:
        load_samples(project, "evaluation")
    assert caught.value.code == "EK119"


def test_another_vocabulary_is_refused_by_its_golden_ids(tmp_path: Path) -> None:
    model = WORDPIECE["model"]
    write(tmp_path, {**WORDPIECE, "model": {**model, "vocab": {**model["vocab"], "hello": 4, "##s": 3}}})
    data(tmp_path, 1, 3, 4, 2)
    project = stated(tmp_path, ', golden = { "hello" = [1, 3, 2] }')
    with pytest.raises(TokenizerMismatch, match=r"makes \[1, 4, 2\] of 'hello', \[1, 3, 2\] is stated"):
        load_samples(project, "evaluation")


def test_golden_ids_of_other_kinds_are_held_against_the_vocabulary(tmp_path: Path) -> None:
    write(tmp_path, {"model": {"type": "Unigram", "vocab": [["a", -1.0], ["b", -2.0]]}})
    read_tokenizer(tmp_path, "tokens", TokenizerSpec(file="tokenizer.json", golden={"ab": (0, 1)}))
    with pytest.raises(TokenizerMismatch):
        read_tokenizer(tmp_path, "tokens", TokenizerSpec(file="tokenizer.json", golden={"ab": (0, 2)}))


BYTES = {
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
    "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 1], "cls": ["<s>", 0]},
    "model": {"type": "BPE", "vocab": {"<s>": 0, "</s>": 1, "a": 2, "b": 3, "ab": 4, "Ġ": 5}, "merges": ["a b"]},
}


def texts(folder: Path, *lines: str) -> None:
    np.savez(folder / "data.npz", tokens=np.array(lines), labels=np.zeros(len(lines), np.int64))


def test_golden_ids_of_byte_pairs_are_computed_anew(tmp_path: Path) -> None:
    write(tmp_path, BYTES)
    read_tokenizer(tmp_path, "tokens", TokenizerSpec(file="tokenizer.json", golden={"ab a": (0, 4, 5, 2, 1)}))
    with pytest.raises(TokenizerMismatch, match=r"makes \[0, 4, 1\] of 'ab', \[0, 2, 3, 1\] is stated"):
        read_tokenizer(tmp_path, "tokens", TokenizerSpec(file="tokenizer.json", golden={"ab": (0, 2, 3, 1)}))


def test_texts_become_token_ids_of_the_stated_length(tmp_path: Path) -> None:
    write(tmp_path, BYTES)
    texts(tmp_path, "ab", "b ab")
    project = stated(tmp_path, "}\npad = 7 #")
    with pytest.raises(SampleUnfit, match="sample 1: 'tokens' has 5 tokens, the project states 4 at most") as caught:
        load_samples(project, "evaluation")
    assert caught.value.hint == "to cut its end: truncate = true in tokenizer"
    write(tmp_path, {**BYTES, "added_tokens": [{"id": 7, "content": "<pad>"}]})
    project = stated(tmp_path, ", truncate = true }\npad = 7 #")
    assert load_samples(project, "evaluation").inputs["tokens"].tolist() == [[0, 4, 1, 7], [0, 3, 5, 1]]
    texts(tmp_path, "<pad>")
    with pytest.raises(SampleUnfit, match="a text holds the added token '<pad>'"):
        load_samples(project, "evaluation")
    texts(tmp_path, "ab")
    with pytest.raises(SampleUnfit, match="has 3 tokens, the project states 4") as caught:
        load_samples(stated(tmp_path), "evaluation")
    assert "pad = ID of the padding token" in str(caught.value.hint)


def test_texts_of_a_free_length_have_a_mask(tmp_path: Path) -> None:
    write(tmp_path)
    texts(tmp_path, "hello", "hellos hello")
    text = TOML.format(more="", dtype="int64").replace("[4]", '["t:1..9"]').replace("[data]", MASK)
    (tmp_path / "edgekit.toml").write_text(text.replace("tokenizer = {", 'mask = "mask"\ntokenizer = {'))
    samples = load_samples(Project.read(tmp_path), "evaluation")
    assert samples.inputs["tokens"].tolist() == [[1, 3, 2, 0, 0], [1, 3, 4, 3, 2]]
    assert samples.inputs["t.length"].tolist() == [3, 5]
    assert samples.inputs["mask"][1].tolist() == [1] * 5


def test_texts_of_another_kind_of_tokenizer_are_refused(tmp_path: Path) -> None:
    write(tmp_path, {"model": {"type": "WordLevel", "vocab": {"ab": 0}}})
    texts(tmp_path, "ab")
    with pytest.raises(DataError, match=r"'tokenizer.json' cannot be run here: .* model WordLevel"):
        load_samples(stated(tmp_path), "evaluation")


MASK = """
[inputs.mask]
shape = ["t:1..9"]
dtype = "int64"

[data]"""


@pytest.mark.parametrize("wrong", [6, -1])
def test_a_token_above_the_vocabulary_is_refused(tmp_path: Path, wrong: int) -> None:
    write(tmp_path)
    data(tmp_path, 1, wrong, 4, 2)
    with pytest.raises(DataError, match=rf"'tokens' holds the token id {wrong}, its tokenizer has 0 to 5"):
        load_samples(stated(tmp_path), "evaluation")


def test_more_tokens_than_the_stated_vocabulary_are_refused(tmp_path: Path) -> None:
    write(tmp_path)
    assert read_tokenizers(stated(tmp_path, " }\nvocabulary = 6\nbuckets = {"))["tokens"].size == 6
    with pytest.raises(TokenizerMismatch, match="of input 'tokens' has 6 tokens, the project states a vocabulary of 5"):
        read_tokenizers(stated(tmp_path, " }\nvocabulary = 5\nbuckets = {"))


@pytest.mark.parametrize("content", [[], {"model": {}}, {"model": {"vocab": {"a": "b"}}}, {"model": {"vocab": {}}}, 3])
def test_what_is_no_tokenizer_is_refused(tmp_path: Path, content: Any) -> None:
    write(tmp_path, content)
    with pytest.raises(DataError, match="has no vocabulary"):
        read_tokenizer(tmp_path, "tokens", TokenizerSpec(file="tokenizer.json"))


def test_a_file_that_is_missing_or_no_json_is_refused(tmp_path: Path) -> None:
    spec = TokenizerSpec(file="tokenizer.json")
    with pytest.raises(DataError, match="cannot be read: No such file"):
        read_tokenizer(tmp_path, "tokens", spec)
    (tmp_path / "tokenizer.json").write_bytes(b"\x00\x01")
    with pytest.raises(DataError, match="is not JSON"):
        read_tokenizer(tmp_path, "tokens", spec)


def test_a_tokenizer_of_floats_or_of_another_form_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="'tokenizer' goes with token ids: dtype = 'int64'"):
        stated(tmp_path, dtype="float32")
    with pytest.raises(SpecError, match=r"inputs\.tokens\.tokenizer\.sha256"):
        stated(tmp_path, ', sha256 = "abc"')
