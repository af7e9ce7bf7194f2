"""A small decoder (a transformer with a cache) that takes a token and scores the one that follows.

Input: int64 [1], the cache of each layer, keys float32 [heads, size, places] and values float32 [heads, places, size],
and the place of the token, int64 [1]. Output: logits float32 [1, 512], key [heads, size, 1] and value [heads, 1, size]
of this token, and the next place.
"""

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import linear, relu

VOCABULARY, PLACES, LAYERS, HEADS, SIZE, HIDDEN = 512, 128, 3, 4, 16, 192
WIDTH = HEADS * SIZE
MASKED = -30.0
"""Score of a token that may not be seen: a share of e^-30 is none, and int8 has numbers for scores beside it."""
WEIGHTS = Path(__file__).with_name("weights.safetensors")


class DecoderBlock(nn.Module):
    """Attention to what was read, and two linear layers, each added to what came in."""

    def __init__(self) -> None:
        super().__init__()
        self.attention_norm, self.norm = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.query, self.key, self.value, self.mixed = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.up, self.down = nn.Linear(WIDTH, HIDDEN), nn.Linear(HIDDEN, WIDTH)

    def projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Query [N * heads, T, size], key [N * heads, size, T] and value [N * heads, T, size] of x [N, T, width]."""
        x = self.attention_norm(x)
        query, key, value = (
            layer(x).reshape(*x.shape[:2], HEADS, SIZE) for layer in (self.query, self.key, self.value)
        )
        query, value = (each.transpose(1, 2).reshape(-1, x.shape[1], SIZE) for each in (query, value))
        return query, key.permute(0, 2, 3, 1).reshape(-1, SIZE, x.shape[1]), value

    def added(self, x: Tensor, attended: Tensor) -> Tensor:
        """Sum of x [N, T, width] and what attention [N * heads, T, size] and the linear layers make of it."""
        attended = attended.reshape(-1, HEADS, x.shape[1], SIZE).transpose(1, 2).reshape(x.shape)
        x = x + self.mixed(attended)
        added: Tensor = x + self.down(relu(self.up(self.norm(x))))
        return added


def likeness(query: Tensor, key: Tensor) -> Tensor:
    """Scores [N, T, S] of queries [N, T, size] and keys [N, size, S]."""
    scores: Tensor = torch.bmm(query, key) / SIZE**0.5
    return scores


class Stories(nn.Module):
    """Embeddings of token and place, three blocks, and the likeness to each token's embedding."""

    order: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, WIDTH), nn.Embedding(PLACES, WIDTH)
        self.blocks = nn.ModuleList(DecoderBlock() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH)
        self.register_buffer("order", torch.arange(PLACES), persistent=False)

    @property
    def layers(self) -> list[DecoderBlock]:
        """Blocks in order."""
        return [block for block in self.blocks if isinstance(block, DecoderBlock)]

    def forward(self, token: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
        """One step: token [1], then keys and values of each layer, and the place of the token [1]."""
        *cache, place = state
        x = (self.tokens(token) + self.places(place)).reshape(1, 1, WIDTH)
        unread = (self.order >= place).reshape(1, 1, PLACES)
        rows: list[Tensor] = []
        for block, keys, values in zip(self.layers, cache[0::2], cache[1::2], strict=True):
            query, key, value = block.projected(x)
            past = torch.where(unread, MASKED, likeness(query, keys))
            shares = torch.cat((past, likeness(query, key)), -1).softmax(-1)
            x = block.added(x, torch.bmm(shares[..., :PLACES], values) + torch.bmm(shares[..., PLACES:], value))
            rows += [key, value]
        return (self.scores(x).reshape(1, VOCABULARY), *rows, place + 1)

    def whole(self, tokens: Tensor, dropout: float = 0.0) -> Tensor:
        """Logits [N, T, 512] of texts [N, T] at once, for training. dropout: share of values that are left out."""
        count = tokens.shape[1]
        x = nn.functional.dropout(self.tokens(tokens) + self.places(self.order[:count]), dropout, dropout > 0)
        hidden = torch.ones(count, count, dtype=torch.bool).triu(1)
        for block in self.layers:
            query, key, value = block.projected(x)
            shares = torch.where(hidden, MASKED, likeness(query, key)).softmax(-1)
            x = block.added(x, torch.bmm(shares, value))
            x = nn.functional.dropout(x, dropout, dropout > 0)
        return self.scores(x)

    def scores(self, x: Tensor) -> Tensor:
        """Logits [N, T, 512] of x [N, T, width]."""
        return linear(self.norm(x), self.tokens.weight)


def stories() -> nn.Module:
    """The trained network, in evaluation mode. Its weights are stored in float16, and computed with in float32."""
    model = Stories()
    model.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})
    return model.eval()
