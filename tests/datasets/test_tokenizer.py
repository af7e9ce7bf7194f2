"""A tokenizer that is another one is refused, and so are token ids above its vocabulary."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.datasets.tokenizer import read_tokenizer
from edgekit.errors import DataError, SpecError, TokenizerMismatch
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


@pytest.mark.parametrize("wrong", [6, -1])
def test_a_token_above_the_vocabulary_is_refused(tmp_path: Path, wrong: int) -> None:
    write(tmp_path)
    data(tmp_path, 1, wrong, 4, 2)
    with pytest.raises(DataError, match=rf"'tokens' holds the token id {wrong}, its tokenizer has 0 to 5"):
        load_samples(stated(tmp_path), "evaluation")


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
