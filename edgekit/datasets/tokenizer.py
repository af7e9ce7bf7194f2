"""Tokenizer files of a project: read, checked against their digest and golden token ids, and held against samples."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.errors import DataError, SampleUnfit, TokenizerMismatch
from edgekit.ir.measurement import Array
from edgekit.runner.errors import RunnerError
from edgekit.runner.processing.tokenization import Tokenization, read_tokenization
from edgekit.runner.processing.wordpiece import WordPiece
from edgekit.specs.inputs import Input
from edgekit.specs.lengths import FreeSize
from edgekit.specs.project import Project
from edgekit.specs.tokenizer import TokenizerSpec
from edgekit.untrusted.json_text import loads

LARGEST = 1 << 26
"""Largest tokenizer file, in bytes; one of 250,000 entries has 17 MB."""
VALUES = 4_000_000
"""Limit of the values in its JSON: the merges of large vocabularies are some 600,000."""
SAVED = "save it by tokenizer.save('tokenizer.json')"


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer file of a project."""

    content: bytes
    sha256: str
    size: int
    """Number of token ids: one more than the largest."""
    golden: Mapping[str, tuple[int, ...]]
    """Token ids of some texts, as the project states them."""
    texts: WordPiece | Tokenization | None = None
    """Encoder of texts; None for a kind whose ids cannot be computed here."""
    unknown: str = ""
    """Part of the file that is not known here, where there is no encoder."""


def read_tokenizer(root: Path, name: str, spec: TokenizerSpec) -> Tokenizer:
    """Read the tokenizer of the input `name`.

    Raises DataError for a file that is missing or none, TokenizerMismatch for one with another digest or golden ids
    that are not its own. Golden ids are computed anew for kinds that `runner/processing/tokenization` knows, and only
    held against the vocabulary for others.
    """
    where = f"tokenizer '{spec.file}' of input '{name}'"
    path = root / spec.file
    try:
        if path.stat().st_size > LARGEST:
            raise DataError(
                f"the {where} is larger than {LARGEST >> 20} MB", hint="is it the tokenizer, not the model?"
            )
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"the {where} cannot be read: {error.strerror}", hint="paths are relative to edgekit.toml"
        ) from error
    sha256 = hashlib.sha256(content).hexdigest()
    if spec.sha256 not in (None, sha256):
        raise TokenizerMismatch(
            f"the {where} has the SHA-256 {sha256[:16]}…, {str(spec.sha256)[:16]}… is stated: it is another one",
            hint=f"bring back the file of the training; if this one is right: sha256 = '{sha256}'",
        )
    document = _document(content, where)
    size = _size(document, where)
    texts, unknown = _encoder(document)
    _check_golden(texts, size, spec, where)
    return Tokenizer(content, sha256, size, spec.golden, texts, unknown)


def read_tokenizers(project: Project) -> dict[str, Tokenizer]:
    """Tokenizers of a project by the input that they are of.

    Raises DataError or TokenizerMismatch as `read_tokenizer` does, and TokenizerMismatch for one with more tokens than
    the vocabulary that is stated of its input.
    """
    tokenizers = {}
    for name, spec in project.inputs.items():
        if spec.tokenizer is None:
            continue
        tokenizers[name] = tokenizer = read_tokenizer(project.root, name, spec.tokenizer)
        if spec.vocabulary is not None and tokenizer.size > spec.vocabulary:
            raise TokenizerMismatch(
                f"the tokenizer '{spec.tokenizer.file}' of input '{name}' has {tokenizer.size} tokens, the project "
                f"states a vocabulary of {spec.vocabulary}",
                hint=f"bring back the tokenizer of the training, or state what the network takes under [inputs.{name}]",
            )
    return tokenizers


def token_ids(text: str, name: str, spec: Input, tokenizer: Tokenizer, where: str) -> Array:
    """Token ids of a text as one sample of the input `name`, cut or padded to its length as the project states.

    Raises DataError for a tokenizer whose ids cannot be computed here, SampleUnfit for a text that does not fit.
    """
    stated = spec.tokenizer
    assert stated
    if tokenizer.texts is None:
        raise DataError(
            f"{where} is a text, and '{stated.file}' cannot be run here: {tokenizer.unknown}",
            hint="give token ids in place of texts: a loader that calls the tokenizer",
        )
    if len(spec.shape) != 1:
        raise DataError(f"{where} is a text, the project states {list(spec.shape)}", hint='shape = ["t:1..128"]')
    try:
        ids = tokenizer.texts.encode(text)
    except RunnerError as error:
        raise SampleUnfit(f"{where}: {error}", hint="leave it out, or give its token ids") from error
    (size,) = spec.shape
    if len(ids) > size and not stated.truncate:
        raise SampleUnfit(
            f"{where} has {len(ids)} tokens, the project states {int(size)} at most",
            hint="to cut its end: truncate = true in tokenizer",
        )
    ids = truncated(ids, int(size), len(tokenizer.texts.after))
    if not isinstance(size, FreeSize) and len(ids) < size:
        if "pad" not in spec.model_fields_set:
            raise SampleUnfit(
                f"{where} has {len(ids)} tokens, the project states {int(size)}",
                hint=f"pad = ID of the padding token under [inputs.{name}], or a free length: 't:1..{int(size)}'",
            )
        ids += [int(spec.pad)] * (int(size) - len(ids))
    return np.array(ids, spec.dtype)


def truncated(ids: list[int], size: int, after: int) -> list[int]:
    """Cut token ids to a length; special tokens at the end, `after` of them, stay."""
    return ids if len(ids) <= size else [*ids[: size - after], *ids[len(ids) - after :]]


def _encoder(document: Any) -> tuple[WordPiece | Tokenization | None, str]:
    try:
        return read_tokenization(document), ""
    except RunnerError as error:
        return None, str(error)


def check_ids(array: Array, tokenizer: Tokenizer, where: str) -> None:
    """Raise DataError if a sample holds a token id that the tokenizer has not."""
    wrong = array[(array < 0) | (array >= tokenizer.size)]
    if wrong.size:
        raise DataError(
            f"{where} holds the token id {int(np.ravel(wrong)[0])}, its tokenizer has 0 to {tokenizer.size - 1}",
            hint="make the ids with the tokenizer that [inputs] names; padding needs an id of its own, and a mask",
        )


def _document(content: bytes, where: str) -> Any:
    try:
        return loads(content, VALUES)
    except ValueError as error:
        raise DataError(f"the {where} is not JSON: {error}", hint=SAVED) from error


def _size(document: Any, where: str) -> int:
    try:
        vocabulary = document["model"]["vocab"]
        # Unigram has a list of pieces and scores, the others a table.
        ids = list(vocabulary.values()) if isinstance(vocabulary, dict) else list(range(len(vocabulary)))
        ids += [token["id"] for token in document.get("added_tokens") or ()]
        return max(map(int, ids)) + 1
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"the {where} has no vocabulary: {error!r}", hint=SAVED) from error


def _check_golden(texts: WordPiece | Tokenization | None, size: int, spec: TokenizerSpec, where: str) -> None:
    for text, ids in spec.golden.items():
        try:
            computed = ids if texts is None else tuple(texts.encode(text))
        except RunnerError as error:
            raise DataError(
                f"the {where}: the golden text '{text[:40]}': {error}", hint="state another golden text"
            ) from error
        if computed != ids or max(ids, default=0) >= size:
            raise TokenizerMismatch(
                f"the {where} makes {list(computed)} of '{text[:40]}', {list(ids)} is stated",
                hint="golden ids are those of the training: bring back its tokenizer, or state them anew",
            )
