"""A keyword spotter on raw audio: every backend takes PCM, and the spectrum stays in float whatever the precision."""

from __future__ import annotations

import importlib
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from edgekit import plugins
from edgekit.backends.verify import verify
from edgekit.frontend.canonical import canonical
from edgekit.frontend.preprocess import Deployed
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.passes.quantization.quantize import quantize
from edgekit.specs.catalog import Catalog
from edgekit.specs.compression import Quantize
from edgekit.specs.inputs import Input

pytestmark = pytest.mark.lowers

HOST = Catalog.default().target("host")
FRAMES = 20
SPECTRUM = 2 * 33 * 64 + 12 * 33
"""Weights of the spectrum at most: cosines, sines, filters."""
NETWORK = 32 * 9 + 32 * 32 * 9 + 4 * 32


class Spotter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)
        self.head = nn.Linear(32, 4)

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.head(torch.relu(self.second(torch.relu(self.first(x)))).mean((2, 3)))
        return answer


def spotter(pcm: str) -> Program:
    mel = {"from": pcm, "rate": 8000, "frame": 64, "hop": 32, "mels": 12, "mean": -6.0, "std": 3.0}
    spec = Input.model_validate({"shape": [1, 12, FRAMES], "log_mel": mel})
    edge = TensorSpec("audio", spec.raw_dtype, (1, *spec.raw_shape))
    with torch.no_grad():
        exported = canonical(
            torch.export.export(
                Deployed(Spotter(), {"audio": spec}).eval(),
                (torch.zeros(edge.shape, dtype=getattr(torch, edge.dtype)),),
            )
        )
    return Program(exported, Signature((edge,), (TensorSpec("output", "float32", (1, 4)),)))


def sounds(pcm: str, count: int) -> list[tuple[Tensor]]:
    """Chirps in noise, [1, samples] each."""
    random = np.random.default_rng(count)
    time = np.arange(64 + 32 * (FRAMES - 1)) / 8000
    waves = []
    for _ in range(count):
        low, slope = random.uniform(200, 1500), random.uniform(0, 20000)
        wave = 0.4 * np.sin(2 * np.pi * (low + slope * time) * time) + 0.02 * random.standard_normal(len(time))
        scaled = np.round(wave * 32767).astype(np.int16) if pcm == "int16 PCM" else wave.astype(np.float32)
        waves.append((torch.from_numpy(scaled)[None].clone(),))
    return waves


@pytest.mark.parametrize("backend", ["executorch", "onnx", "tflite"])
@pytest.mark.parametrize(
    ("recipe", "pcm", "at_least_db"),
    [
        (None, "int16 PCM", 80),
        (None, "float32 PCM", 80),
        (Quantize(), "int16 PCM", 25),
        (Quantize(mode="dynamic"), "float32 PCM", 25),
    ],
    ids=["float32 of int16", "float32", "static-int8", "dynamic-int8"],
)
def test_raw_audio_in_answers_out(
    backend: str, recipe: Quantize | None, pcm: str, at_least_db: float, tmp_path: Path
) -> None:
    made = plugins.load("backends", backend)()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for module in made.preload:
            importlib.import_module(module)
    runtime, program, checks = HOST.select_runtime(backend), spotter(pcm), sounds(pcm, 5)
    lowered, at_lowering = program, recipe if recipe and recipe.precision in made.at_lowering else None
    if recipe and not at_lowering:
        quantization = lambda each: made.quantization(each, runtime)  # noqa: E731
        lowered = quantize(program, recipe, quantization, sounds(pcm, 12), checks[:2])
    artifact = made.lower(lowered, HOST, runtime, tmp_path, at_lowering)
    assert artifact.signature.inputs[0].dtype == pcm.split()[0]
    (tmp_path / "checks").mkdir()
    np.save(tmp_path / "checks" / "audio.npy", torch.cat([check[0] for check in checks]).numpy())
    assert verify(artifact, program, tmp_path / "checks", tmp_path / "golden", recipe) > at_least_db
    if recipe:
        # All of the network, but for the first layer in one cell, and nothing of the spectrum.
        assert (NETWORK - 32 * 9) / (NETWORK + SPECTRUM) <= artifact.integer < 0.95
