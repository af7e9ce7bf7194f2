"""Project of stories260K, a small trained language model of the Llama architecture, with a cache as its state.

Its file lies outside the repository: tests that need it are skipped without it.
"""

from __future__ import annotations

import struct
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

WEIGHTS = Path(__file__).parents[2] / "shared" / "lm" / "stories260K.bin"
"""Export of the model by its author's program, version 0: seven sizes, then weights in float32."""
needed = pytest.mark.skipif(not WEIGHTS.is_file(), reason="stories260K.bin is not beside the repository")

MODEL = '''
import struct
from pathlib import Path

import numpy as np
import torch
from torch import nn

MASKED = -1e4


class Block(nn.Module):
    def __init__(self, size, hidden, heads, groups):
        super().__init__()
        self.heads, self.groups, self.width = heads, groups, size // heads
        self.before, self.middle = nn.RMSNorm(size, 1e-5), nn.RMSNorm(size, 1e-5)
        self.query, self.out = (nn.Linear(size, size, bias=False) for _ in range(2))
        self.key, self.value = (nn.Linear(size, groups * self.width, bias=False) for _ in range(2))
        self.gate, self.up = (nn.Linear(size, hidden, bias=False) for _ in range(2))
        self.down = nn.Linear(hidden, size, bias=False)

    def turned(self, x, heads, cosine, sine):
        x = x.reshape(1, -1, heads, self.width).transpose(1, 2)
        first, second = x.chunk(2, -1)
        return x * cosine + torch.cat((-second, first), -1) * sine

    def forward(self, x, keys, values, cosine, sine, past, own):
        """Attend to the cache, and to the tokens that are read now; give their keys and values, not the cache."""
        count, shared, length = x.shape[1], self.heads // self.groups, keys.shape[2]
        y = self.before(x)
        query = self.turned(self.query(y), self.heads, cosine, sine) * self.width**-0.5
        query = query.reshape(1, self.groups, shared * count, self.width)
        key = self.turned(self.key(y), self.groups, cosine, sine)
        value = self.value(y).reshape(1, -1, self.groups, self.width).transpose(1, 2)
        here = query @ key.transpose(2, 3) + own
        shares = torch.cat((query @ keys.transpose(2, 3) + past, here), -1).softmax(-1)
        mixed = shares[..., :length] @ values + shares[..., length:] @ value
        x = x + self.out(mixed.reshape(1, self.heads, count, self.width).transpose(1, 2).reshape(1, count, -1))
        y = self.middle(x)
        return x + self.down(nn.functional.silu(self.gate(y)) * self.up(y)), key, value


class Llama(nn.Module):
    """Logits of the token after the last one, and the rows that the tokens add to the cache."""

    def __init__(self, vocabulary, size, hidden, layers, heads, groups, longest):
        super().__init__()
        self.shared, width = heads // groups, size // heads
        self.tokens = nn.Embedding(vocabulary, size)
        self.blocks = nn.ModuleList(Block(size, hidden, heads, groups) for _ in range(layers))
        self.norm, self.head = nn.RMSNorm(size, 1e-5), nn.Linear(size, vocabulary, bias=False)
        angles = torch.arange(longest)[:, None] / 10000 ** (torch.arange(0, width, 2) / width).repeat(2)
        self.register_buffer("cosine", angles.cos())
        self.register_buffer("sine", angles.sin())
        self.register_buffer("order", torch.arange(longest))

    def forward(self, token, keys, values, position):
        count = token.shape[1]
        x, places = self.tokens(token), self.order[:count] + position
        cosine, sine = self.cosine[places], self.sine[places]
        past = (self.order >= position).to(x.dtype) * MASKED
        own = torch.full((count, count), MASKED).triu(1).repeat(self.shared, 1)
        rows = []
        for i, block in enumerate(self.blocks):
            x, *row = block(x, keys[i : i + 1], values[i : i + 1], cosine, sine, past, own)
            rows.append(row)
        key, value = (torch.cat(each) for each in zip(*rows))
        return self.head(self.norm(x[:, -1])), key, value, position + count


def llama():
    content = memoryview(Path(__file__).with_name("stories260K.bin").read_bytes())
    size, hidden, layers, heads, groups, vocabulary, longest = struct.unpack("7i", content[:28])
    network, numbers = Llama(vocabulary, size, hidden, layers, heads, groups, longest), content[28:]

    def read(*shape):
        nonlocal numbers
        count = 4 * int(np.prod(shape))
        values, numbers = np.frombuffer(numbers[:count], np.float32).reshape(shape), numbers[count:]
        return torch.from_numpy(values.copy())

    cached = groups * size // heads
    shapes = {"before": (size,), "query": (size, size), "key": (cached, size), "value": (cached, size)}
    shapes |= {"out": (size, size), "middle": (size,), "gate": (hidden, size), "down": (size, hidden)}
    tokens, weights = read(vocabulary, size), {}
    for name, shape in {**shapes, "up": (hidden, size)}.items():
        stacked = read(layers, *shape)
        if name in ("query", "key"):  # the file turns pairs of neighbours, this network the halves of a head
            stacked = stacked.reshape(layers, -1, size // heads // 2, 2, size).transpose(2, 3).reshape(stacked.shape)
        weights |= {f"blocks.{i}.{name}.weight": stacked[i] for i in range(layers)}
    weights |= {"tokens.weight": tokens, "head.weight": tokens, "norm.weight": read(size)}
    network.load_state_dict(weights, strict=False)
    return network.eval()
'''

TOML = """
[gates]
calibration_overlap = { max = 1 }

[model]
factory = "model.py:llama"
outputs = ["logits", "keys_out", "values_out", "position_out"]
task = "language-model"

[inputs.token]
shape = [1]
prefill = [16]
dtype = "int64"
vocabulary = VOCABULARY

[state]
keys = { from = "keys_out", shape = CACHE, append = 2 }
values = { from = "values_out", shape = CACHE, append = 2 }
position = { from = "position_out", shape = [1], dtype = "int64" }

[data]
calibration = { path = "data.npz", licence = "MIT", source = "written by the model itself" }
evaluation = { path = "data.npz", licence = "MIT", source = "written by the model itself" }
"""


def write_stories(
    folder: Path, count: int = 8, steps: int = 48, weights: Path | None = None, layers: tuple[int, ...] = ()
) -> Path:
    """The project, with `count` stories of `steps` tokens that the model itself writes.

    weights: another export of that form, of any size. layers: which of its layers are kept, by number; all if empty.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.py").write_text(textwrap.dedent(MODEL))
    content = (weights or WEIGHTS).read_bytes()
    (folder / WEIGHTS.name).write_bytes(_with_layers(content, layers) if layers else content)
    cache, vocabulary = _sizes(folder)
    (folder / "edgekit.toml").write_text(TOML.replace("CACHE", str(cache)).replace("VOCABULARY", str(vocabulary)))
    texts = np.array([torch_text(folder, [1], steps, seed) for seed in range(count)])
    np.savez(folder / "data.npz", token=np.insert(texts, 0, 1, axis=1)[:, :-1, None], labels=texts)
    return folder


def torch_text(folder: Path, prompt: list[int], count: int, seed: int | None = None) -> list[int]:
    """Tokens that eager torch writes after a prompt: the likeliest, or drawn where there is a seed."""
    import torch

    network, random = _network(folder), None if seed is None else torch.Generator().manual_seed(seed)
    shape, _ = _sizes(folder)
    keys, values, position = torch.zeros(shape), torch.zeros(shape), torch.zeros(1, dtype=torch.int64)
    text: list[int] = []
    with torch.no_grad():
        tokens = torch.tensor([prompt])
        while len(text) < count:
            begin = int(position)
            logits, key, value, position = network(tokens, keys, values, position)
            keys[:, :, begin : int(position)], values[:, :, begin : int(position)] = key, value
            scores = logits[0]
            text.append(int(torch.multinomial(scores.softmax(0), 1, generator=random) if random else scores.argmax()))
            tokens = torch.tensor([text[-1:]])
    return text


def _with_layers(content: bytes, kept: tuple[int, ...]) -> bytes:
    """An export with these layers of another one: they are stacked, one kind of weight after the other."""
    size, hidden, layers, heads, groups, vocabulary, longest = struct.unpack("7i", content[:28])
    shapes = [size, size * size, *2 * [groups * size // heads * size], size * size, size, *3 * [hidden * size]]
    place = 28 + 4 * vocabulary * size
    parts = [struct.pack("7i", size, hidden, len(kept), heads, groups, vocabulary, longest), content[28:place]]
    for count in shapes:
        parts += (content[place + 4 * count * layer : place + 4 * count * (layer + 1)] for layer in kept)
        place += 4 * count * layers
    return b"".join(parts) + content[place:]


def _sizes(folder: Path) -> tuple[list[int], int]:
    """Shape of the cache of keys, and number of tokens."""
    with (folder / WEIGHTS.name).open("rb") as file:
        size, _, layers, heads, groups, vocabulary, longest = struct.unpack("7i", file.read(28))
    return [layers, groups, longest, size // heads], vocabulary


def _network(folder: Path) -> Any:
    scope: dict[str, Any] = {"__file__": str(folder / "model.py")}
    exec((folder / "model.py").read_text(), scope)
    return scope["llama"]()
