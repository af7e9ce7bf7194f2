"""WordPiece gives the token ids of the package that trained the tokenizer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.runner.errors import RunnerError
from edgekit.runner.processing.wordpiece import WordPiece

tokenizers = pytest.importorskip("tokenizers")

WORDS = (
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "the",
    "quick",
    "##er",
    "fox",
    "##es",
    "un",
    "##affable",
    "i",
    "##i",
    "東",
    "!",
    "'",
)
LETTERS = tuple("abcdefghijklmnopqrstuvwxyz0123456789,.-σé")
VOCABULARY = {word: i for i, word in enumerate((*WORDS, *LETTERS, *(f"##{c}" for c in LETTERS)))}
TEXTS = (
    "The quicker foxes, unaffable!",
    "Ünaffable fóxes don't\tquit\n東京",
    "ΣΑΣ é É e\u0301 İstanbul",
    "a" * 101,
    "\x00the\u200bfox\ufffd \u00a0x",
    "",
    "  ",
    "qu",
)


def pair(**options: Any) -> tuple[Any, WordPiece]:
    """The tokenizer of the package, and ours of the same file."""
    theirs = tokenizers.Tokenizer(tokenizers.models.WordPiece(VOCABULARY, unk_token="[UNK]"))
    theirs.normalizer = tokenizers.normalizers.BertNormalizer(**options)
    theirs.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    theirs.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return theirs, WordPiece.read(json.loads(theirs.to_str()))


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize(
    "options",
    [{}, {"lowercase": False}, {"strip_accents": False}, {"handle_chinese_chars": False, "clean_text": False}],
)
def test_ids_are_those_of_the_package(text: str, options: dict[str, bool]) -> None:
    theirs, ours = pair(**options)
    assert ours.encode(text) == theirs.encode(text).ids


THEIRS, OURS = pair()


# Beyond Latin, Greek and Cyrillic the package has tables of Unicode that are older than Python's.
@given(st.text(st.characters(max_codepoint=0x52F, categories=("L", "N", "P", "Z", "M")), max_size=30))
def test_ids_of_any_text_are_those_of_the_package(text: str) -> None:
    assert OURS.encode(text) == THEIRS.encode(text).ids


def test_another_kind_of_tokenizer_is_refused() -> None:
    theirs = tokenizers.Tokenizer(tokenizers.models.BPE())
    with pytest.raises(RunnerError, match="no WordPiece tokenizer of BERT's kind"):
        WordPiece.read(json.loads(theirs.to_str()))
