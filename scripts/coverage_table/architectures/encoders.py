"""Text encoders: BERT-mini with its mask, and a sentence encoder as MiniLM is used."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.architectures.attention import PostNorm
from scripts.coverage_table.samples import topics

MASKED = torch.finfo(torch.float32).min


class Encoder(nn.Module):
    """Embeddings of words and places, norm, blocks. The mask int64 [N, T] is 1 for words."""

    places: Tensor

    def __init__(self, words: int, longest: int, width: int, heads: int, depth: int) -> None:
        super().__init__()
        self.words, self.positions = nn.Embedding(words, width), nn.Embedding(longest, width)
        self.register_buffer("places", torch.arange(longest)[None])
        self.norm = nn.LayerNorm(width, 1e-12)
        self.blocks = nn.ModuleList(PostNorm(width, heads, 4 * width) for _ in range(depth))

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        bias = (1.0 - mask[:, None, None, :].to(torch.float32)) * MASKED
        x = self.norm(self.words(tokens) + self.positions(self.places[:, : tokens.shape[1]]))
        for block in self.blocks:
            x = block(x, bias)
        return x


class Bert(nn.Module):
    """Classification by the first place, through a layer with tanh."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Encoder(2048, 64, 256, 4, 4)
        self.pooler, self.head = nn.Linear(256, 256), nn.Linear(256, 4)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        return self.head(torch.tanh(self.pooler(self.encoder(tokens, mask)[:, 0])))


class SentenceEncoder(nn.Module):
    """Mean of the words that the mask counts, of length 1, and classes of it."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.head = Encoder(1024, 32, 96, 6, 2), nn.Linear(96, 4)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        counted = mask[:, :, None].to(torch.float32)
        mean = (self.encoder(tokens, mask) * counted).sum(1) / counted.sum(1).clamp(min=1e-9)
        return self.head(nn.functional.normalize(mean, dim=1))


ARCHITECTURES = (
    Architecture(
        "bert-mini", "full size: 4 blocks of 256, 32 tokens with mask; 2,048 words", Bert, topics(32, 2048),
        "classification", steps=100,
    ),
    Architecture(
        "minilm", "2 blocks of 96, 6 heads, 32 tokens with mask, mean, norm", SentenceEncoder, topics(32, 1024),
        "classification", steps=150,
    ),
)  # fmt: skip
