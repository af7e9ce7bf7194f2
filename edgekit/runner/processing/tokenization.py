"""Tokenization: a text to token ids, as a `tokenizer.json` of the package `tokenizers` describes it.

WordPiece of BERT (`wordpiece`), byte-level BPE of GPT-2 and RoBERTa, BPE of SentencePiece, and Unigram. Parts of a file
that are not known are refused, never guessed. Padding and truncation that a file states are not applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Callable, NamedTuple

from ..errors import RunnerError
from .byte_pairs import BytePairs
from .text_normalization import Normalizer, Splitter, normalizer, splitter
from .unigram import Unigram
from .wordpiece import WordPiece, special_tokens

LONGEST = 1 << 20
"""Most characters of a text."""
MALFORMED = (KeyError, TypeError, ValueError, AttributeError, IndexError, StopIteration, OverflowError)


class Tokenization(NamedTuple):
    """Tokenizer of the kinds BPE and Unigram."""

    normalize: Normalizer
    split: Splitter
    ids: Callable[[str], list[int]]
    """Token ids of one part of a text."""
    before: tuple[int, ...]
    after: tuple[int, ...]
    """Ids of the special tokens around a text."""
    added: tuple[str, ...]
    """Tokens that the package sets apart before it normalizes: a text that holds one is refused."""

    def encode(self, text: str) -> list[int]:
        """Token ids of a text, special tokens included. Raises RunnerError (data) for one that holds such a token."""
        if len(text) > LONGEST:
            raise RunnerError("data", f"a text has {len(text):,} characters, more than {LONGEST:,}")
        try:
            return self._encode(text)
        except (ValueError, TypeError, AttributeError, KeyError) as error:  # a letter without a token; a damaged file
            raise RunnerError("data", f"a text cannot be cut into tokens: {error}") from error

    def _encode(self, text: str) -> list[int]:
        normal = self.normalize(text)
        held = next((token for token in self.added if token in text or token in normal), None)
        if held is not None:
            raise RunnerError("data", f"a text holds the added token '{held}', which is not known in texts")
        parts = [part for part in self.split([normal] if normal else []) if part]
        return [*self.before, *(id for part in parts for id in self.ids(part)), *self.after]


def read_tokenization(content: Mapping[str, Any]) -> WordPiece | Tokenization:
    """Tokenizer of the parsed JSON: `encode` gives the ids of a text. Raises RunnerError (data) if it is not known."""
    try:
        kind = content["model"].get("type")
        if kind == "WordPiece":
            return WordPiece.read(content)
        if kind not in ("BPE", "Unigram"):
            raise ValueError(f"model {kind}")
        return _read(content, BytePairs.read if kind == "BPE" else Unigram.read)
    except MALFORMED as error:
        detail = str(error) if isinstance(error, ValueError) else repr(error)
        raise RunnerError("data", f"its kind of tokenizer is not known here: {detail[:200]}") from error


def is_known(content: Any) -> bool:
    """True if `read_tokenization` can read the parsed JSON."""
    try:
        read_tokenization(content)
    except RunnerError:
        return False
    return True


def _read(content: Mapping[str, Any], read: Callable[[Any], Any]) -> Tokenization:
    before, after = special_tokens(content.get("post_processor"))
    added = tuple(token["content"] for token in content.get("added_tokens") or ())
    return Tokenization(
        normalizer(content.get("normalizer")),
        splitter(content.get("pre_tokenizer")),
        read(content["model"]).ids,
        before,
        after,
        tuple(token for token in added if token),
    )
