"""A small decoder (a transformer with a cache) that takes a token and scores the one that follows.

Input: int64 [1], the cache of keys and values float32 [1, heads, places, size] of each layer, and the place of the
token, int64 [1]. Output: logits float32 [1, 512], keys and values float32 [1, heads, 1, size] of this token, and the
next place.
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
        """Query, key and value [N, heads, T, size] of x [N, T, width]."""
        x = self.attention_norm(x)
        count = x.shape[1]
        query, key, value = (
            layer(x).reshape(-1, count, HEADS, SIZE).transpose(1, 2) for layer in (self.query, self.key, self.value)
        )
        return query, key, value

    def added(self, x: Tensor, attended: Tensor) -> Tensor:
        """Sum of x [N, T, width] and what attention [N, heads, T, size] and the linear layers make of it."""
        x = x + self.mixed(attended.transpose(1, 2).reshape(x.shape))
        added: Tensor = x + self.down(relu(self.up(self.norm(x))))
        return added


def likeness(query: Tensor, key: Tensor) -> Tensor:
    """Scores [N, heads, T, S] of queries [N, heads, T, size] and keys [N, heads, S, size]."""
    scores: Tensor = (query @ key.transpose(2, 3)) / SIZE**0.5
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
        unread = (self.order >= place).reshape(1, 1, 1, PLACES)
        rows: list[Tensor] = []
        for block, keys, values in zip(self.layers, cache[0::2], cache[1::2], strict=True):
            query, key, value = block.projected(x)
            past = torch.where(unread, MASKED, likeness(query, keys))
            shares = torch.cat((past, likeness(query, key)), -1).softmax(-1)
            x = block.added(x, shares[..., :PLACES] @ values + shares[..., PLACES:] @ value)
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
            x = block.added(x, shares @ value)
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
