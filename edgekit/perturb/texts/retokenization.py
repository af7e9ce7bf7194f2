"""Token ids of changed texts, with the lengths and the mask that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from edgekit.datasets import free_lengths
from edgekit.datasets.tokenizer import Tokenizer, read_tokenizer, truncated
from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.perturb.input_domain import InputDomain
from edgekit.runner.errors import RunnerError
from edgekit.samples import Samples
from edgekit.specs.lengths import FreeSize
from edgekit.specs.project import LENGTHS
from edgekit.specs.tokenizer import TokenizerSpec


def obstacle(samples: Samples, domain: InputDomain) -> str | None:
    """Reason why texts of these samples cannot be changed, a clause; None where they can."""
    name, spec = domain.name, domain.spec
    if name not in samples.texts:
        return "the data set gives token ids: there are no texts to change"
    if not any(samples.texts[name]):
        return "all texts are empty"
    ids = samples.inputs[name]
    if domain.task in ("tagging", "language-model") or samples.labels.shape[1:2] == ids.shape[1:2]:
        return "labels are of single tokens, which it would move"
    if tokenizer_of(domain).texts is None:
        return "its tokenizer cannot be run here"
    if spec.mask and set(samples.inputs[spec.mask].shape[1:-1]) - {1}:
        return f"the mask '{spec.mask}' has more axes than the tokens"
    for other, array in samples.inputs.items():
        own = other in (domain.name, spec.mask, *samples.texts)
        if array.shape[:2] == ids.shape[:2] and not own and not other.endswith(LENGTHS):
            return f"'{other}' goes with the token ids, and is not made of them"
    return None


def retokenized(samples: Samples, domain: InputDomain, texts: Sequence[str]) -> Samples:
    """Samples with the token ids of these texts in place of theirs.

    A text of more tokens than the window ends there; special tokens stay. One whose tokens the network does not take,
    as they are too few or not on a step of a free length, keeps the ids that it had.
    """
    rows = [_row(samples, domain, i, text) for i, text in enumerate(texts)]
    inputs = dict(samples.inputs)
    length = _length(domain)
    inputs[domain.name] = free_lengths.stacked(rows, domain.spec.pad).astype(domain.spec.dtype)
    if length is not None:
        sizes = [len(row) for row in rows]
        inputs[length + LENGTHS] = np.array(sizes, np.int64)
        if domain.spec.mask:
            mask = samples.inputs[domain.spec.mask]
            fitting = np.arange(max(sizes)) < np.array(sizes)[:, None]
            inputs[domain.spec.mask] = fitting.astype(mask.dtype).reshape(len(rows), *mask.shape[1:-1], -1)
    return replace(samples, inputs=inputs, texts={**samples.texts, domain.name: tuple(texts)})


def tokenizer_of(domain: InputDomain) -> Tokenizer:
    """Tokenizer of an input of texts. Raises DataError or TokenizerMismatch as `read_tokenizer` does."""
    assert domain.spec.tokenizer
    return _read(domain.root, domain.name, domain.spec.tokenizer.model_dump_json())


@lru_cache(maxsize=2)
def _read(root: Path, name: str, stated: str) -> Tokenizer:
    return read_tokenizer(root, name, TokenizerSpec.model_validate_json(stated))


def _row(samples: Samples, domain: InputDomain, i: int, text: str) -> Array:
    spec, length = domain.spec, _length(domain)
    array = samples.inputs[domain.name][i]
    before: Array = array if length is None else array[: samples.inputs[length + LENGTHS][i]]
    if text == samples.texts[domain.name][i]:
        return before
    encoder = tokenizer_of(domain).texts
    if encoder is None:
        raise DataError(f"the texts of '{domain.name}' cannot be cut into tokens here", hint="give token ids")
    try:
        ids = encoder.encode(text)
    except RunnerError:  # the change made a special token's name, or a letter that has no token
        return before
    (size,) = spec.shape
    ids = truncated(ids, int(size), len(encoder.after))
    if isinstance(size, FreeSize):
        return np.array(ids, spec.dtype) if len(ids) in size.length else before
    if len(ids) < size and "pad" not in spec.model_fields_set:
        return before
    return np.array([*ids, *[int(spec.pad)] * (int(size) - len(ids))], spec.dtype)


def _length(domain: InputDomain) -> str | None:
    """Name of the free length of the token ids; None where they have one length."""
    (size,) = domain.spec.shape
    return size.length.name if isinstance(size, FreeSize) else None
