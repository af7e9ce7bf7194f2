"""Tagger: embeddings, a GRU in both directions, a linear layer. Scores [N, 12, 5] of words [N, 12]."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn

WORDS, TAGS = 200, 5
WEIGHTS = Path(__file__).with_name("weights.safetensors")


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(WORDS, 24)
        self.gru = nn.GRU(24, 32, batch_first=True, bidirectional=True)
        self.head = nn.Linear(64, TAGS)

    def forward(self, tokens: Tensor) -> Tensor:
        scores: Tensor = self.head(self.gru(self.words(tokens))[0])
        return scores


def tagger() -> nn.Module:
    model = Tagger()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
