"""WordPiece of BERT, as a `tokenizer.json` describes it: texts become token ids, with the standard library alone.

Read are the model `WordPiece`, the normalizer and pre-tokenizer of BERT, and a template of special tokens or none:
what sentence encoders of the BERT family have. Any other tokenizer is refused, never guessed. Marks and accents are
those of Python's Unicode; the package `tokenizers` has older tables, which lack some of rarer scripts.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ..errors import RunnerError

# The blocks of CJK ideographs that BERT sets apart, each a word of its own.
IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
ASCII_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


class WordPiece(NamedTuple):
    """A tokenizer, read from the content of `tokenizer.json` by `read`."""

    vocabulary: Mapping[str, int]
    unknown: int
    prefix: str
    longest: int
    """Characters of the longest word that is cut into pieces; longer ones are unknown."""
    clean: bool
    lowercase: bool
    strip_accents: bool
    ideographs: bool
    before: tuple[int, ...]
    after: tuple[int, ...]
    """Ids of the special tokens around a text."""

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> WordPiece:
        """Read the parsed JSON. Raises RunnerError (data) if it is another tokenizer than this can be."""
        try:
            return cls._read(content)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise RunnerError("data", f"it is no WordPiece tokenizer of BERT's kind: {error!r}") from error

    @classmethod
    def _read(cls, content: Mapping[str, Any]) -> WordPiece:
        model, normalizer = content["model"], content["normalizer"]
        types = [part["type"] for part in (model, normalizer, content["pre_tokenizer"])]
        if types != ["WordPiece", "BertNormalizer", "BertPreTokenizer"]:
            raise ValueError(", ".join(types))
        before, after = special_tokens(content.get("post_processor"))
        accents = normalizer["strip_accents"]
        return cls(
            model["vocab"],
            model["vocab"][model["unk_token"]],
            str(model["continuing_subword_prefix"]),
            int(model["max_input_chars_per_word"]),
            bool(normalizer["clean_text"]),
            bool(normalizer["lowercase"]),
            bool(normalizer["lowercase"] if accents is None else accents),
            bool(normalizer["handle_chinese_chars"]),
            before,
            after,
        )

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, special tokens included. Special tokens that are written in the text are plain text."""
        ids = [id for word in _words(self._normalized(text)) for id in self._pieces(word)]
        return [*self.before, *ids, *self.after]

    def _normalized(self, text: str) -> str:
        if self.clean:
            text = "".join(" " if _is_space(c) else c for c in text if not _is_control(c))
        if self.ideographs:
            text = "".join(f" {c} " if _is_ideograph(c) else c for c in text)
        if self.strip_accents:
            text = "".join(c for c in unicodedata.normalize("NFD", text) if unicodedata.category(c) != "Mn")
        # Letter by letter: the lower case of a word would know a final sigma.
        return "".join(c.lower() for c in text) if self.lowercase else text

    def _pieces(self, word: str) -> list[int]:
        """Cut a word into the longest pieces from the left; unknown as a whole if one piece is."""
        if len(word) > self.longest:
            return [self.unknown]
        ids, start = [], 0
        while start < len(word):
            ends = range(len(word), start, -1)
            lead = self.prefix if start else ""
            end = next((end for end in ends if lead + word[start:end] in self.vocabulary), None)
            if end is None:
                return [self.unknown]
            ids.append(self.vocabulary[lead + word[start:end]])
            start = end
        return ids


def special_tokens(processor: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Ids of the special tokens before and after a single text. Raises ValueError for a processor that is not known."""
    kind = processor and processor["type"]
    if processor is None or kind == "ByteLevel":
        return (), ()
    if kind in ("BertProcessing", "RobertaProcessing"):
        return (processor["cls"][1],), (processor["sep"][1],)
    if kind == "Sequence":
        pairs = [special_tokens(each) for each in processor["processors"]]
        befores, afters = [before for before, _ in pairs[::-1]], [after for _, after in pairs]
        return sum(befores, ()), sum(afters, ())
    if kind != "TemplateProcessing":
        raise ValueError(f"post-processor {kind}")
    kinds = [next(iter(piece)) for piece in processor["single"]]
    at = kinds.index("Sequence")
    ids = [
        tuple(id for piece in pieces for id in processor["special_tokens"][piece["SpecialToken"]["id"]]["ids"])
        for pieces in (processor["single"][:at], processor["single"][at + 1 :])
    ]
    return ids[0], ids[1]


def _words(text: str) -> Iterator[str]:
    """Split at spaces, and before and after every mark of punctuation."""
    word = ""
    for c in text:
        alone = c in ASCII_PUNCTUATION or unicodedata.category(c)[0] == "P"
        if word and (alone or c.isspace()):
            yield word
            word = ""
        if alone:
            yield c
        elif not c.isspace():
            word += c
    if word:
        yield word


def _is_space(c: str) -> bool:
    return c in "\t\n\r" or c.isspace()


def _is_control(c: str) -> bool:
    return c in "\0\ufffd" or (c not in "\t\n\r" and unicodedata.category(c)[0] == "C")


def _is_ideograph(c: str) -> bool:
    return any(low <= ord(c) <= high for low, high in IDEOGRAPHS)
