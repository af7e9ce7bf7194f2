"""Texts of token ids, against the package `tokenizers` where it decodes the same file."""

from __future__ import annotations

import json
from typing import Any

import pytest

from edgekit.examples import folder
from edgekit.runner.processing.detokenization import text_of
from edgekit.runner.processing.tokenization import read_tokenization

TEXTS = ("Alice was beginning to get very tired", "`Oh dear!' said the Rabbit.\nSo it was", " two  spaces")


def test_byte_level_tokens_become_the_text_that_they_were() -> None:
    from tokenizers import Tokenizer

    path = folder("stories") / "tokenizer.json"
    content, theirs = json.loads(path.read_text("utf-8")), Tokenizer.from_file(str(path))
    for text in TEXTS:
        ids = read_tokenization(content).encode(text)
        assert text_of(ids, content) == text == theirs.decode(ids)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (
            {"model": {"type": "BPE", "vocab": {"▁once": 0, "▁a": 1, "<0xC3>": 2, "<0xA9>": 3, "</s>": 4}},
             "added_tokens": [{"id": 4, "content": "</s>", "special": True}]},
            " once aé",
        ),
        (
            {"model": {"type": "Unigram", "vocab": [["▁once", 0.0], ["▁a", 0.0], ["b", 0.0], ["c", 0.0], ["d", 0.0]]}},
            " once abcd",
        ),
        ({"model": {"type": "WordPiece", "vocab": {"once": 0, "a": 1, "##b": 2, "##c": 3, "d": 4}}}, "once abc d"),
        ({"model": {"type": "Other", "vocab": {letter: i for i, letter in enumerate("abcde")}}}, None),
        ({"model": {"type": "BPE", "vocab": {"▁once": 0}}}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_each_kind_puts_its_tokens_together_in_its_own_way(content: dict[str, Any], text: str | None) -> None:
    assert text_of([0, 1, 2, 3, 4], content) == text
