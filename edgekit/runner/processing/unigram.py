"""Unigram language model (Kudo 2018): the cut of a text with the highest sum of scores, by Viterbi's algorithm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

PENALTY = 10.0
"""Score of an unknown letter below that of the least likely piece, as in SentencePiece."""


class Unigram(NamedTuple):
    """Model `Unigram` of a `tokenizer.json`."""

    pieces: Mapping[str, tuple[int, float]]
    """Token id and score, a logarithm, of every piece."""
    unknown: int | None
    bytes: bool
    """True if unknown letters become tokens of their bytes, where the vocabulary has them all."""
    longest: int
    least: float
    """Lowest score of a piece."""

    @classmethod
    def read(cls, model: Mapping[str, Any]) -> Unigram:
        """Read the model. Raises ValueError, KeyError or TypeError for one of another form."""
        vocabulary = [(str(piece), float(score)) for piece, score in model["vocab"]]
        if not vocabulary:
            raise ValueError("Unigram without pieces")
        return cls(
            {piece: (i, score) for i, (piece, score) in enumerate(vocabulary)},
            model.get("unk_id"),
            bool(model.get("byte_fallback")),
            max(len(piece) for piece, _ in vocabulary),
            min(score for _, score in vocabulary),
        )

    def ids(self, text: str) -> list[int]:
        """Token ids of a text. Raises ValueError for an unknown letter if there is no token for it."""
        return [id for piece in self._cut(text) for id in self._tokens(piece)]

    def _tokens(self, piece: str) -> list[int]:
        if piece in self.pieces:
            return [self.pieces[piece][0]]
        names = [f"<0x{byte:02X}>" for byte in piece.encode()] if self.bytes else []
        if names and all(name in self.pieces for name in names):
            return [self.pieces[name][0] for name in names]
        if self.unknown is None:
            raise ValueError(f"there is no token for '{piece[:20]}', and none for what is unknown")
        return [self.unknown]

    def _cut(self, text: str) -> list[str]:
        """Pieces of the best cut; neighbouring unknown letters are one piece."""
        starts, known = self._best(text)
        pieces: list[str] = []
        end, unknown_end = len(text), 0
        while end > 0:
            start = starts[end]
            if known[end]:
                if unknown_end:
                    pieces.append(text[end:unknown_end])
                pieces.append(text[start:end])
                unknown_end = 0
            else:
                unknown_end = unknown_end or end
            end = start
        if unknown_end:
            pieces.append(text[:unknown_end])
        return pieces[::-1]

    def _best(self, text: str) -> tuple[list[int], list[bool]]:
        """Start of the last piece of the best cut of every beginning, and true where the vocabulary has it."""
        count = len(text)
        scores: list[float] = [0.0] + [-float("inf")] * count
        starts, known = [-1] * (count + 1), [False] * (count + 1)
        for start in range(count):
            single = False
            for end in range(start + 1, min(count, start + self.longest) + 1):
                piece = self.pieces.get(text[start:end])
                if piece is None:
                    continue
                single = single or end == start + 1
                if starts[end] < 0 or scores[start] + piece[1] > scores[end]:
                    scores[end], starts[end], known[end] = scores[start] + piece[1], start, piece[0] != self.unknown
            end = start + 1
            if not single and (starts[end] < 0 or scores[start] + self.least - PENALTY > scores[end]):
                scores[end], starts[end], known[end] = scores[start] + (self.least - PENALTY), start, False
        return starts, known
