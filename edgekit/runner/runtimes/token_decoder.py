"""Decoder of a language model: tokens in, logits of the next token out, with its cache as state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import RunnerError
from ..model.sequences import with_state
from .base import load
from .select_runtime import open_runtime

if TYPE_CHECKING:
    from ..model.manifest import RunnerManifest
    from ..model.tensors import Array


class TokenDecoder:
    """A language model with state, which has read some tokens and tells the logits of the next one.

    manifest: of a model that takes one token, integers with a single element, and whose first output that is not state
    is logits [1, vocabulary] or [1, 1, vocabulary]. Raises RunnerError: data for any other model, and what `load`
    raises.

        decoder = TokenDecoder(read_manifest(slot), threads=2)
        logits = decoder.prefill([1, 403, 407])     # of the token after the last one, [vocabulary]
        while …:
            logits = decoder.decode(int(logits.argmax()))
        decoder.reset()                             # another text
    """

    def __init__(self, manifest: RunnerManifest, threads: int) -> None:
        check_decoder(manifest)
        self._tokens = manifest.sampled[0]
        self._answer = manifest.outputs.index(manifest.reported[0])
        self._vocabulary = manifest.reported[0].shape[-1]
        self.runtime, runtime = open_runtime(manifest.format, manifest.engine)
        self._call = with_state(load(runtime, manifest, threads), manifest)
        self._counts = (1, *manifest.prefill)
        self.position = 0
        """Number of tokens that were read since the text began."""
        # Each entry point is loaded and run, so that the first prompt takes as long as any other.
        for count in self._counts:
            self._read([0] * count)
            self.reset()

    @property
    def capacity(self) -> int | None:
        """Number of tokens that the cache holds; None if the manifest states no cache that is appended to."""
        return self._call.capacity

    @property
    def vocabulary(self) -> int:
        """Number of tokens that the model scores."""
        return self._vocabulary

    def reset(self) -> None:
        """Begin another text: the state is the initial one again."""
        self._call.reset()
        self.position = 0

    def prefill(self, tokens: Sequence[int]) -> Array:
        """Read the tokens of a prompt, or of more text, as many at once as there are entry points for.

        Returns the logits after the last one, float [vocabulary]. Raises RunnerError (data) if the cache cannot hold
        them, before any is read.
        """
        if not len(tokens):
            raise RunnerError("data", "a prompt has one token at least")
        if self.capacity is not None and self.position + len(tokens) > self.capacity:
            read = f" behind {self.position} others" if self.position else ""
            message = f"a prompt of {len(tokens)} tokens{read} is longer than the cache, which holds {self.capacity}"
            raise RunnerError("data", message)
        at = 0
        while at < len(tokens):
            count = max(size for size in self._counts if size <= len(tokens) - at)
            logits = self._read(tokens[at : at + count])
            at += count
        return logits

    def decode(self, token: int) -> Array:
        """Read one token. Returns the logits of the one that follows it, float [vocabulary]."""
        return self._read([token])

    def _read(self, tokens: Sequence[int]) -> Array:
        # An entry point for several takes [1, count].
        shape = (1, -1) if len(tokens) > 1 else self._tokens.shape
        array = np.array(tokens, self._tokens.dtype).reshape(shape)
        outputs = self._call([array])
        self.position += len(tokens)
        logits: Array = outputs[self._answer].reshape(-1, self._vocabulary)[-1]
        return logits


def greedy(decoder: TokenDecoder, prompt: Sequence[int], count: int, stop: Sequence[int] = ()) -> Iterator[int]:
    """Tokens that follow a prompt, each the one with the largest logit: `count`, or up to one of `stop`."""
    logits = decoder.prefill(prompt)
    for i in range(count):
        token = int(logits.argmax())
        yield token
        if token in stop or i == count - 1:
            return
        logits = decoder.decode(token)


def check_decoder(manifest: RunnerManifest) -> None:
    """Raise RunnerError (data) unless the model takes a token a step, with state, and scores the next one."""
    if not manifest.state or len(manifest.sampled) != 1:
        raise RunnerError("data", "it is no decoder: that takes one token a step, and has state")
    tokens = manifest.sampled[0]
    if not tokens.dtype.startswith("int") or np.prod(tokens.shape) != 1:
        raise RunnerError("data", f"it is no decoder: its input '{tokens.name}' is {tokens}, not one token")
