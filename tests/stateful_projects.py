"""Projects with state: a detector of voice activity, a decoder with a cache of keys and values, and an accumulator."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.ir.measurement import Array

STATED = 'licence = "made here", source = "synthetic"'

VOICE = '''
import torch
from safetensors.torch import load_file
from torch import nn


class Voice(nn.Module):
    """Scores of noise and voice for a frame of 256 samples, by two gated recurrent units."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv1d(1, 16, 32, stride=16), nn.Conv1d(16, 32, 3, stride=2)
        self.lower, self.upper = nn.GRUCell(32, 64), nn.GRUCell(64, 64)
        self.head = nn.Linear(64, 2)

    def forward(self, audio, h):
        x = torch.relu(self.second(torch.relu(self.first(audio)))).mean(2)
        lower = self.lower(x, h[0])
        upper = self.upper(lower, h[1])
        return {"voice": self.head(upper), "h_out": torch.stack([lower, upper])}


def voice():
    network = Voice()
    network.load_state_dict(load_file(__file__.replace("model.py", "weights.safetensors")))
    return network.eval()
'''

VOICE_TOML = f"""
[model]
factory = "model.py:voice"
classes = ["noise", "voice"]

[inputs.audio]
shape = [1, 256]

[state]
h = {{ from = "h_out", shape = [2, 1, 64] }}

[data]
calibration = {{ path = "calibration.npz", {STATED} }}
evaluation = {{ path = "evaluation.npz", {STATED} }}
"""

DECODER = '''
import torch
from safetensors.torch import load_file
from torch import nn

LONGEST, VOCABULARY, HEADS, SIZE = 16, 8, 2, 16


class Decoder(nn.Module):
    """Scores of the token two steps ago, by attention over a cache of keys and values that is as long as a sequence."""

    def __init__(self):
        super().__init__()
        self.tokens, self.places = nn.Embedding(VOCABULARY, HEADS * SIZE), nn.Embedding(LONGEST, HEADS * SIZE)
        self.query, self.key, self.value = (nn.Linear(HEADS * SIZE, HEADS * SIZE) for _ in range(3))
        self.head = nn.Linear(HEADS * SIZE, VOCABULARY)
        self.register_buffer("order", torch.arange(LONGEST))

    def forward(self, token, keys, values, position):
        x = self.tokens(token) + self.places(position)
        query, key, value = (layer(x).reshape(-1, HEADS, 1, SIZE) for layer in (self.query, self.key, self.value))
        here = (self.order == position).reshape(1, 1, LONGEST, 1)
        keys, values = torch.where(here, key, keys), torch.where(here, value, values)
        scores = (query @ keys.transpose(2, 3)) / SIZE**0.5
        scores = torch.where((self.order > position).reshape(1, 1, 1, LONGEST), -1e4, scores)
        mixed = (scores.softmax(-1) @ values).reshape(-1, HEADS * SIZE)
        return self.head(mixed), keys, values, position + 1


def decoder():
    network = Decoder()
    network.load_state_dict(load_file(__file__.replace("model.py", "weights.safetensors")))
    return network.eval()
'''

DECODER_TOML = f"""
[gates]
calibration_overlap = {{ max = 1 }}

[model]
factory = "model.py:decoder"
outputs = ["scores", "keys_out", "values_out", "position_out"]

[inputs.token]
shape = []
dtype = "int64"

[state]
keys = {{ from = "keys_out", shape = [1, 2, 16, 16] }}
values = {{ from = "values_out", shape = [1, 2, 16, 16] }}
position = {{ from = "position_out", shape = [1], dtype = "int64" }}

[data]
calibration = {{ path = "data.npz", {STATED} }}
evaluation = {{ path = "data.npz", {STATED} }}
"""

ACCUMULATOR = '''
import torch


class Accumulator(torch.nn.Module):
    """Decaying sum of its inputs, and the number of steps."""

    def forward(self, x, total, count):
        total = 0.5 * total + x
        return {"sum": 2 * total, "total_out": total, "count_out": count + 1, "steps": count.float()}


def accumulator():
    return Accumulator().eval()
'''

ACCUMULATOR_TOML = f"""
[gates]
calibration_overlap = {{ max = 1 }}

[model]
factory = "model.py:accumulator"
task = "regression"

[inputs.x]
shape = [3]

[state]
total = {{ from = "total_out", shape = [1, 3] }}
count = {{ from = "count_out", shape = [1], dtype = "int64" }}

[data]
calibration = {{ path = "data.npz", {STATED} }}
evaluation = {{ path = "data.npz", {STATED} }}
"""


def write(folder: Path, model: str, toml: str, **arrays: dict[str, Array]) -> Path:
    """Write a project, with a `.npz` of each of `arrays`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.py").write_text(textwrap.dedent(model))
    (folder / "edgekit.toml").write_text(toml)
    for name, columns in arrays.items():
        np.savez(folder / f"{name}.npz", **columns)  # type: ignore[arg-type]
    return folder


def write_accumulator(folder: Path, toml: str = ACCUMULATOR_TOML, count: int = 6, steps: int = 5) -> Path:
    """The accumulator, with random inputs [count, steps, 3]; the target of a step is what it answers."""
    x = np.random.default_rng(0).standard_normal((count, steps, 3)).astype(np.float32)
    totals = np.zeros_like(x)
    for t in range(steps):
        totals[:, t] = x[:, t] + 0.5 * (totals[:, t - 1] if t else 0)
    return write(folder, ACCUMULATOR, toml, data={"x": x, "labels": 2.0 * totals})


def sounds(count: int, steps: int, seed: int) -> dict[str, Array]:
    """Frames of 256 samples at 8 kHz, float32 [count, steps, 1, 256], with a label each: 1 where there is voice.

    Voice is a sum of harmonics with the pauses of syllables, which count as voice; all of it is in noise.
    """
    random = np.random.default_rng(seed)
    audio, labels = np.empty((count, steps, 1, 256), np.float32), np.zeros((count, steps), np.int64)
    for i in range(count):
        time, spoken = np.arange(steps * 256) / 8000, np.zeros(steps, bool)
        at = int(random.integers(0, 12))
        while at < steps:
            length = int(random.integers(8, 24))
            spoken[at : at + length] = True
            at += length + int(random.integers(8, 24))
        pitch = random.uniform(110, 240) * (1 + 0.03 * np.sin(2 * np.pi * random.uniform(1, 3) * time))
        phase = 2 * np.pi * np.cumsum(pitch) / 8000
        tone = sum(np.sin(k * phase + random.uniform(0, 6)) / k for k in range(1, 8))
        syllables = np.clip(np.sin(2 * np.pi * 4 * time + random.uniform(0, 6)) + 0.6, 0, 1)
        voice = tone * syllables * np.repeat(spoken, 256)
        noise = random.standard_normal(steps * 256) * random.uniform(0.3, 0.8)
        audio[i] = (0.3 * (voice + noise)).reshape(steps, 1, 256)
        labels[i] = spoken
    return {"audio": audio, "labels": labels}


def write_voice(folder: Path, steps: int = 64, count: int = 40) -> Path:
    """The detector of voice activity, trained here; evaluated on `count` sequences of `steps` frames."""
    import torch
    from torch import nn

    write(folder, VOICE, VOICE_TOML, calibration=sounds(16, 48, 1), evaluation=sounds(count, steps, 2))
    network = _network(folder, "Voice")
    # Whole sequences at once, by layers that have the cells' weights.
    layers = nn.GRU(32, 64, 2, batch_first=True)

    def scores(audio: Any) -> Any:
        features = torch.relu(network.second(torch.relu(network.first(audio.flatten(0, 1))))).mean(2)
        return network.head(layers(features.reshape(*audio.shape[:2], 32))[0])

    _train(scores, [network, layers], sounds(96, 48, 3), 60)
    for layer, cell in enumerate((network.lower, network.upper)):
        cell.load_state_dict({name: getattr(layers, f"{name}_l{layer}") for name in cell.state_dict()})
    _save(network, folder)
    return folder


def write_decoder(folder: Path) -> Path:
    """The decoder, trained here; its data are sequences of random tokens, labelled by the token two steps ago."""
    import torch

    write(folder, DECODER, DECODER_TOML, data=_tokens(64, 0))
    network = _network(folder, "Decoder")

    def scores(token: Any) -> Any:
        count = token.shape[1]
        x = network.tokens(token) + network.places(torch.arange(count))
        layers = (network.query, network.key, network.value)
        query, key, value = (layer(x).reshape(-1, count, 2, 16).transpose(1, 2) for layer in layers)
        weights = (query @ key.transpose(2, 3)) / 4
        weights = weights.masked_fill(torch.ones(count, count).triu(1).bool(), -1e4).softmax(-1)
        return network.head((weights @ value).transpose(1, 2).flatten(2))

    _train(scores, [network], _tokens(512, 1), 250)
    _save(network, folder)
    return folder


def _tokens(count: int, seed: int) -> dict[str, Array]:
    token = np.random.default_rng(seed).integers(0, 8, (count, 16))
    return {"token": token, "labels": np.concatenate([token[:, :1], token[:, :1], token[:, :-2]], axis=1)}


def _network(folder: Path, name: str) -> Any:
    import torch

    scope: dict[str, Any] = {}
    exec((folder / "model.py").read_text(), scope)
    torch.manual_seed(0)
    return scope[name]()


def _train(scores: Callable[[Any], Any], networks: list[Any], data: dict[str, Array], rounds: int) -> None:
    """Train by the loss of every step."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on a busy machine two take many times longer
    optimizer = torch.optim.Adam([value for network in networks for value in network.parameters()], 4e-3)
    column, labels = (torch.from_numpy(values) for values in data.values())
    for _ in range(rounds):
        chosen = torch.randint(0, len(labels), (24,))
        loss = torch.nn.functional.cross_entropy(scores(column[chosen]).flatten(0, 1), labels[chosen].flatten())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    torch.set_num_threads(threads)


def _save(network: Any, folder: Path) -> None:
    from safetensors.torch import save_file

    save_file({name: value.detach() for name, value in network.state_dict().items()}, folder / "weights.safetensors")
