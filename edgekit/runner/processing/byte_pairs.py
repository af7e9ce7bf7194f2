"""Byte-pair encoding (Sennrich et al. 2016): the parts of a word are merged, the pair of the lowest rank first."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import Any, NamedTuple


class BytePairs(NamedTuple):
    """Model `BPE` of a `tokenizer.json`."""

    vocabulary: Mapping[str, int]
    merges: Mapping[tuple[int, int], tuple[int, int]]
    """Rank and token of every pair of tokens that is merged."""
    unknown: int | None
    fuse: bool
    """True if neighbouring unknown letters are one token."""
    bytes: bool
    """True if an unknown letter becomes tokens of its bytes, where the vocabulary has them all."""
    whole: bool
    """True if a word that is a token is not cut."""

    @classmethod
    def read(cls, model: Mapping[str, Any]) -> BytePairs:
        """Read the model. Raises ValueError, KeyError or TypeError for one of another form."""
        if model.get("dropout") or model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
            raise ValueError("BPE with dropout, prefixes or suffixes of words")
        vocabulary, merges = model["vocab"], {}
        for rank, pair in enumerate(model["merges"]):
            left, right = pair.split(" ", 1) if isinstance(pair, str) else pair
            merges[vocabulary[left], vocabulary[right]] = rank, vocabulary[left + right]
        unknown = model.get("unk_token")
        return cls(
            vocabulary,
            merges,
            None if unknown is None else vocabulary[unknown],
            bool(model.get("fuse_unk")),
            bool(model.get("byte_fallback")),
            bool(model.get("ignore_merges")),
        )

    def ids(self, word: str) -> list[int]:
        """Token ids of one word."""
        if self.whole and word in self.vocabulary:
            return [self.vocabulary[word]]
        return self._merged(self._letters(word))

    def _letters(self, word: str) -> list[int]:
        """Tokens of the single letters. One that is unknown is left out where there is no token for it."""
        tokens: list[int] = []
        pending = False
        for letter in word:
            if letter in self.vocabulary:
                tokens += [self.unknown] * pending if self.unknown is not None else []
                tokens.append(self.vocabulary[letter])
                pending = False
                continue
            names = [f"<0x{byte:02X}>" for byte in letter.encode()] if self.bytes else []
            if names and all(name in self.vocabulary for name in names):
                tokens += [self.vocabulary[name] for name in names]
                continue
            if pending and not self.fuse and self.unknown is not None:
                tokens.append(self.unknown)
            pending = self.unknown is not None
        return [*tokens, *([self.unknown] if pending and self.unknown is not None else [])]

    def _merged(self, tokens: list[int]) -> list[int]:
        following: list[int] = [*range(1, len(tokens)), -1]
        preceding = list(range(-1, len(tokens) - 1))
        alive = [True] * len(tokens)
        queue: list[tuple[int, int, int]] = []

        def offer(at: int) -> None:
            pair = (tokens[at], tokens[following[at]]) if at >= 0 and following[at] >= 0 else None
            if pair is not None and pair in self.merges:
                rank, token = self.merges[pair]
                heapq.heappush(queue, (rank, at, token))

        for at in range(len(tokens)):
            offer(at)
        while queue:
            _, at, token = heapq.heappop(queue)
            after = following[at]
            # An offer is out of date if one of the two was merged since.
            if not alive[at] or after < 0 or self.merges.get((tokens[at], tokens[after]), (0, None))[1] != token:
                continue
            tokens[at], alive[after], following[at] = token, False, following[after]
            if following[at] >= 0:
                preceding[following[at]] = at
            offer(preceding[at])
            offer(at)
        return [token for token, lives in zip(tokens, alive) if lives]
