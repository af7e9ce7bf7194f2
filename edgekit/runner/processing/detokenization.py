"""Detokenization: the text of token ids, as the decoder of a `tokenizer.json` puts its tokens together."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .text_normalization import byte_letters

SPACE = "\u2581"
"""Mark of a space in SentencePiece's tokens."""


def text_of(ids: Sequence[int], content: Mapping[str, Any]) -> str | None:
    """Text of token ids, by the parsed JSON of a tokenizer; None if its kind is not known, or an id is not its own.

    Byte-level BPE, SentencePiece with bytes that fall back, and WordPiece. Special tokens have no text, and bytes that
    are no UTF-8 become U+FFFD.
    """
    try:
        names = _names(content)
        special = {token["id"] for token in content.get("added_tokens") or () if token.get("special")}
        words = [names[id] for id in ids if id not in special]
        return _joined(words, content)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        return None


def _names(content: Mapping[str, Any]) -> dict[int, str]:
    vocabulary = content["model"]["vocab"]
    names = (
        {id: name for name, id in vocabulary.items()}
        if isinstance(vocabulary, dict)
        else dict(enumerate(piece for piece, _ in vocabulary))
    )
    return {**names, **{token["id"]: token["content"] for token in content.get("added_tokens") or ()}}


def _joined(words: Sequence[str], content: Mapping[str, Any]) -> str | None:
    kinds = _kinds(content.get("decoder")) | _kinds(content.get("pre_tokenizer"))
    if "ByteLevel" in kinds:
        letters = {letter: byte for byte, letter in byte_letters().items()}
        return bytes(letters[letter] for word in words for letter in word).decode("utf-8", "replace")
    if content["model"].get("type") == "WordPiece":
        return "".join(word[2:] if word.startswith("##") else f" {word}" for word in words).lstrip()
    if kinds & {"Metaspace", "Replace", "ByteFallback"} or any(SPACE in word for word in words):
        data = b"".join(_piece(word) for word in words)
        return data.decode("utf-8", "replace")
    return None


def _piece(word: str) -> bytes:
    byte = re.fullmatch(r"<0x([0-9A-F]{2})>", word)
    return bytes([int(byte[1], 16)]) if byte else word.replace(SPACE, " ").encode()


def _kinds(part: Any) -> set[str]:
    """Types of a pre-tokenizer or decoder, and of the parts of a sequence."""
    if not isinstance(part, Mapping):
        return set()
    inner = [*(part.get("decoders") or ()), *(part.get("pretokenizers") or ())]
    return {str(part.get("type"))}.union(*map(_kinds, inner))
