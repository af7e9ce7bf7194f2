"""Normalizers and pre-tokenizers of a `tokenizer.json`, by Python's Unicode. What is not known here is refused."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Any, TypeVar

T = TypeVar("T")
Normalizer = Callable[[str], str]
Splitter = Callable[[list[str]], list[str]]
"""Function of the parts of a text; the first one is the beginning of the text."""
FORMS = ("NFC", "NFD", "NFKC", "NFKD")
SPACES = frozenset("\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000") | {chr(c) for c in range(0x2000, 0x200B)}
"""White space of Unicode. Python's `isspace` has four control characters more."""
CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
GPT2 = re.compile(" ?L+| ?N+| ?O+|[ S]+(?![LNO])|[ S]+")
"""Pattern of GPT-2 (Radford et al. 2019, encoder.py) over the classes of characters: letter, number, space, other."""


def normalizer(stated: Any) -> Normalizer:
    """Normalizer of a file. Raises ValueError, KeyError or TypeError for one that is not known."""
    if stated is None:
        return lambda text: text
    kind = stated["type"]
    if kind == "Sequence":
        return _chain([normalizer(each) for each in stated["normalizers"]])
    if kind in FORMS:
        return lambda text: unicodedata.normalize(kind, text)
    if kind == "Lowercase":
        # Letter by letter: the lower case of a word would know a final sigma.
        return lambda text: "".join(c.lower() for c in text)
    if kind == "StripAccents":
        return lambda text: "".join(c for c in text if unicodedata.category(c)[0] != "M")
    if kind == "Prepend":
        return lambda text: stated["prepend"] + text if text else text
    if kind == "Strip":
        return lambda text: _stripped(text, bool(stated["strip_left"]), bool(stated["strip_right"]))
    if kind == "Replace" and set(stated["pattern"]) == {"String"} and stated["pattern"]["String"]:
        return lambda text: text.replace(stated["pattern"]["String"], stated["content"])
    if kind == "Replace" and stated["pattern"] == {"Regex": " {2,}"}:
        return lambda text: re.sub(" {2,}", lambda _: str(stated["content"]), text)
    raise ValueError(f"normalizer {kind}")


def splitter(stated: Any) -> Splitter:
    """Pre-tokenizer of a file. Raises ValueError, KeyError or TypeError for one that is not known."""
    if stated is None:
        return lambda parts: parts
    kind = stated["type"]
    if kind == "Sequence":
        return _chain([splitter(each) for each in stated["pretokenizers"]])
    if kind == "ByteLevel":
        return _byte_level(bool(stated["add_prefix_space"]), bool(stated.get("use_regex", True)))
    if kind == "Metaspace":
        return _metaspace(stated)
    if kind == "WhitespaceSplit":
        return lambda parts: [word for part in parts for word in _words(part)]
    raise ValueError(f"pre-tokenizer {kind}")


def byte_letters() -> dict[int, str]:
    """Letter for every byte, as GPT-2 writes them: printable ones stand for themselves, others are moved above 255."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {byte: chr(byte) for byte in plain} | {byte: chr(256 + i) for i, byte in enumerate(others)}


def _chain(functions: list[Callable[[T], T]]) -> Callable[[T], T]:
    """Function that calls all of them, each on the value of the one before."""
    return lambda value: reduce(lambda so_far, function: function(so_far), functions, value)


def _stripped(text: str, left: bool, right: bool) -> str:
    blank = "".join(SPACES)
    text = text.lstrip(blank) if left else text
    return text.rstrip(blank) if right else text


def _byte_level(prefix: bool, split: bool) -> Splitter:
    letters = byte_letters()

    def call(parts: list[str]) -> list[str]:
        parts = [f" {part}" if prefix and not part.startswith(" ") else part for part in parts]
        words = [word for part in parts for word in (_gpt2(part) if split else [part])]
        return ["".join(letters[byte] for byte in word.encode()) for word in words]

    return call


def _gpt2(text: str) -> Iterator[str]:
    classes = "".join(map(_class, text))
    start = 0
    while start < len(text):
        own = next((each for each in CONTRACTIONS if text.startswith(each, start)), None)
        match = None if own else GPT2.match(classes, start)
        end = start + len(own) if own else match.end() if match else len(text)
        yield text[start:end]
        start = end


def _class(c: str) -> str:
    if c == " ":
        return " "
    kind = unicodedata.category(c)[0]
    return "S" if c in SPACES else kind if kind in "LN" else "O"


def _metaspace(stated: Mapping[str, Any]) -> Splitter:
    mark = stated["replacement"]
    scheme = stated.get("prepend_scheme") or ("always" if stated.get("add_prefix_space", True) else "never")
    if len(mark) != 1 or scheme not in ("always", "first", "never"):
        raise ValueError(f"Metaspace with {scheme}")
    split = bool(stated.get("split", True))

    def call(parts: list[str]) -> list[str]:
        marked = []
        for i, part in enumerate(parts):
            text = part.replace(" ", mark)
            before = not text.startswith(mark) and (scheme == "always" or (scheme == "first" and i == 0))
            marked.append(mark + text if before else text)
        return [word for text in marked for word in (_before(text, mark) if split else [text])]

    return call


def _before(text: str, mark: str) -> list[str]:
    """Split before every mark."""
    first, *rest = text.split(mark)
    return [*([first] if first else []), *(mark + each for each in rest)]


def _words(text: str) -> list[str]:
    return "".join(" " if c in SPACES else c for c in text).split(" ") if text else []
