"""A model that the target's memory or the file format cannot hold is refused by `plan` and `build`, before torch."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from edgekit.specs.model_source import ModelSource
from edgekit.specs.weight_count import weight_count
from tests.conftest import Command
from tests.networks import MODEL, TOML, write_project

FACTORY = 'factory = "model.py:net"'


def large_weights(path: Path, count: int) -> Path:
    """A `.safetensors` file of `count` float32 weights, which are a hole."""
    table = {"weight": {"dtype": "F32", "shape": [count // 1000, 1000], "data_offsets": [0, 4 * count]}}
    header = json.dumps(table).encode()
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + 4 * count)
    return path


@pytest.mark.parametrize("verb", ["plan", "build"])
@pytest.mark.parametrize(
    ("target", "options", "millions", "message"),
    [
        ("raspberry-pi-zero-2w", ("--profile", "float32"), 200, "200,000,000 weights in float32 take 800 MB"),
        ("raspberry-pi-4", ("--profile", "float32", "--backend", "onnx"), 600, "a protobuf of at most 2,147 MB"),
        ("raspberry-pi-4", ("--profile", "float32", "--backend", "tflite"), 600, "a flatbuffer of at most 2,147 MB"),
    ],
)
def test_what_cannot_be_held_is_refused_at_once(
    command: Command, tmp_path: Path, verb: str, target: str, options: tuple[str, ...], millions: int, message: str
) -> None:
    assert FACTORY in TOML
    project = write_project(tmp_path, toml=TOML.replace(FACTORY, f'{FACTORY}\nweights = "w.safetensors"'))
    large_weights(project / "w.safetensors", millions * 1_000_000)
    refused = command(verb, "--project", project, "--target", target, *options)
    assert refused.code == 2
    assert "EK103" in refused.err
    assert message in " ".join(refused.err.split())


def test_more_memory_on_the_board_can_be_stated(command: Command, tmp_path: Path) -> None:
    project = write_project(tmp_path, toml=TOML.replace(FACTORY, f'{FACTORY}\nweights = "w.safetensors"'))
    large_weights(project / "w.safetensors", 400_000_000)
    options = ("--project", project, "--target", "raspberry-pi-5", "--profile", "float32", "--backend", "executorch")
    assert command("plan", *options).code == 2
    assert command("plan", *options, "--set", "target.memory.ram_mb=8192").code == 0


def test_a_cache_that_the_target_cannot_hold_is_refused_at_once(command: Command, tmp_path: Path) -> None:
    state = '\n[state]\nkeys = { from = "keys_out", shape = [5, 4, 4000000, 8], append = 2 }\n'
    project = write_project(tmp_path, toml=f"{TOML}{state}")
    refused = command("plan", "--project", project, "--target", "raspberry-pi-zero-2w", "--profile", "float32")
    assert refused.code == 2
    told = " ".join(refused.err.split())
    assert "EK103" in told
    assert "the state takes 2,560 MB ('keys' of [5, 4, 4000000, 8] alone 2,560 MB)" in told
    assert "--set target.memory.ram_mb=4884" in told


def test_weights_and_a_cache_that_only_fit_one_by_one_are_refused_at_once(command: Command, tmp_path: Path) -> None:
    state = '\n[state]\nkeys = { from = "keys_out", shape = [600000, 64], append = 0 }\n'
    toml = TOML.replace(FACTORY, f'{FACTORY}\nweights = "w.safetensors"')
    project = write_project(tmp_path, toml=f"{toml}{state}")
    large_weights(project / "w.safetensors", 100_000_000)
    refused = command("plan", "--project", project, "--target", "raspberry-pi-zero-2w", "--profile", "float32")
    assert refused.code == 2
    told = " ".join(refused.err.split())
    assert "EK103" in told
    assert "100,000,000 weights in float32 take 400 MB, the state 154 MB, and target 'raspberry-pi-zero-2w' has" in told
    assert "a shorter cache under [state], or, if your board has more memory: --set target.memory.ram_mb=1056" in told


def test_weights_are_counted_by_headers(tmp_path: Path) -> None:
    large_weights(tmp_path / "w.safetensors", 3_000_000_000)
    assert weight_count(ModelSource(factory="model.py:net", weights="w.safetensors"), tmp_path) == 3_000_000_000
    assert weight_count(ModelSource(factory="model.py:net"), tmp_path) is None
    (tmp_path / "program.pt2").write_bytes(bytes(4000))
    assert weight_count(ModelSource(file="program.pt2"), tmp_path) == 1000
    (tmp_path / "w.safetensors").write_bytes(b"\xff" * 9)
    assert weight_count(ModelSource(factory="model.py:net", weights="w.safetensors"), tmp_path) == 0


def test_a_factory_is_asked_before_anything_is_captured(command: Command, tmp_path: Path) -> None:
    spare = "self.head = nn.Linear(8, 4)\n        self.spare = nn.Parameter(torch.zeros(300_000))"
    project = write_project(tmp_path, toml=TOML)
    (project / "model.py").write_text(MODEL.replace("self.head = nn.Linear(8, 4)", spare))
    options = ("--project", project, "--target", "host", "--backend", "onnx", "--profile", "float32")
    refused = command("build", *options, "--set", "target.memory.ram_mb=1", "--out", tmp_path / "out")
    assert refused.code == 2
    assert "weights in float32 take 1 MB, and target 'host' has 1 MB of memory" in " ".join(refused.err.split())
    assert not (tmp_path / "out").exists()
