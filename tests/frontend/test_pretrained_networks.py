"""Folders of transformers, timm and torchvision as the model of a project; networks are made from configurations."""

from __future__ import annotations

import importlib
import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from edgekit.errors import EdgekitError, MissingExtra, ModelFileError, SpecError, UnsupportedModelFile, WeightsMismatch
from edgekit.file_trace import traced
from edgekit.frontend.capture import capture
from edgekit.frontend.load import load, load_twice
from edgekit.ir.sqnr import sqnr_db
from edgekit.specs.project import Project
from tests.networks import TOML, substitute, write_project

HEAD = substitute('factory = "model.py:net"', 'folder = "net"', TOML)
TEXT = (
    HEAD.partition("[inputs")[0]
    + """
[inputs.input_ids]
shape = [12]
dtype = "int64"
[inputs.attention_mask]
shape = [12]
dtype = "int64"
[data]"""
    + HEAD.partition("[data]")[2]
)
PICTURE = substitute("[inputs.image]", "[inputs.pixel_values]", HEAD)
noisy = pytest.mark.filterwarnings(
    "ignore::FutureWarning", "ignore::DeprecationWarning", "ignore::UserWarning", "ignore::ImportWarning"
)


def library(name: str) -> Any:
    """The library, if it is installed: edgekit does not depend on it."""
    try:
        return importlib.import_module(name)
    except (ImportError, RuntimeError) as error:  # a torchvision of another build than torch
        pytest.skip(f"{name} is not installed, or not for this torch: {error}")


def bert(folder: Path, kind: str = "BertModel") -> Any:
    transformers = library("transformers")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=20, num_labels=4,
    )  # fmt: skip
    network = getattr(transformers, kind)(config).eval()
    network.save_pretrained(folder / "net")
    return network


def project(folder: Path, toml: str = TEXT) -> Project:
    return Project.read(write_project(folder, "", toml, samples=4))


def edited(folder: Path, **changes: Any) -> None:
    path = folder / "net" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@noisy
@pytest.mark.parametrize("kind", ["BertModel", "BertForSequenceClassification"])
def test_a_folder_of_transformers_is_the_network_that_was_saved(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = bert(tmp_path, kind)
    monkeypatch.setattr(socket, "socket", None)  # nothing is asked from a hub
    one, _ = load_twice(project(tmp_path))
    tokens, mask = torch.randint(0, 60, (1, 12)), torch.tensor([[1] * 7 + [0] * 5])
    program = capture(one)
    with torch.no_grad():
        expected = network(input_ids=tokens, attention_mask=mask)
        answers = program.exported.module()(tokens, mask)
    assert [spec.name for spec in program.signature.outputs] == [name for name in expected if name != "loss"]
    for name, answer in answers.items():
        assert sqnr_db(expected[name].numpy(), answer.numpy()) > 110
    assert dict(program.history[0].options) == {"folder": "net", "class": kind}


@noisy
def test_a_vision_transformer_with_preprocessing_is_taken(tmp_path: Path) -> None:
    transformers = library("transformers")
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=8, patch_size=4,
        num_labels=4,
    )  # fmt: skip
    transformers.ViTForImageClassification(config).eval().save_pretrained(tmp_path / "net")
    assert str(capture(load(project(tmp_path, PICTURE))).signature.outputs[0]) == "logits: float32[1, 4]"


@noisy
def test_weights_in_the_folder_are_a_part_of_the_cache_key(tmp_path: Path) -> None:
    bert(tmp_path)
    stated = project(tmp_path)
    keys = [traced(lambda: load(stated), stated.root, tmp_path / "cache")[1].digest for _ in range(2)]
    file = tmp_path / "net" / "model.safetensors"
    save_file({name: value + 1 for name, value in load_file(file).items()}, file, {"format": "pt"})
    assert keys[0] == keys[1] != traced(lambda: load(stated), stated.root, tmp_path / "cache")[1].digest


@noisy
def test_a_class_that_the_weights_are_not_of_is_refused(tmp_path: Path) -> None:
    bert(tmp_path)
    edited(tmp_path, architectures=["BertForMaskedLM"])
    with pytest.raises(WeightsMismatch, match=r"lacks weights of 'BertForMaskedLM': 'bert\.|lacks weights .*'cls\."):
        load(project(tmp_path))


@noisy
def test_inputs_and_classes_that_transformers_lacks_are_refused(tmp_path: Path) -> None:
    bert(tmp_path)
    with pytest.raises(SpecError, match=r"\[inputs\.tokens\]: 'BertModel' has no such input") as caught:
        load(project(tmp_path, substitute("inputs.input_ids", "inputs.tokens", TEXT)))
    assert "input_ids" in str(caught.value.hint)
    edited(tmp_path, architectures=["BertForEverything"])
    with pytest.raises(UnsupportedModelFile, match="has no 'BertForEverything'"):
        load(project(tmp_path))


@noisy
@pytest.mark.parametrize("name", ["timm", "torchvision"])
def test_a_folder_of_timm_or_torchvision_is_the_network_that_was_saved(tmp_path: Path, name: str) -> None:
    library("torchvision")
    make: Callable[..., Any] = library(name).create_model if name == "timm" else library("torchvision.models").get_model
    torch.manual_seed(0)
    network = make("resnet18", num_classes=4).eval()
    (tmp_path / "net").mkdir()
    save_file(network.state_dict(), tmp_path / "net" / "model.safetensors")
    config = {"architecture": "resnet18", "num_classes": 4, "library": name}
    (tmp_path / "net" / "config.json").write_text(json.dumps(config))
    loaded = load(project(tmp_path, HEAD))
    x = torch.rand(1, 3, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(loaded.module.model(x), network(x))


def fake(folder: Path, config: Any, *files: str) -> Path:
    (folder / "net").mkdir(parents=True)
    (folder / "net" / "config.json").write_text(config if isinstance(config, str) else json.dumps(config))
    for name in files:
        (folder / "net" / name).write_bytes(b"0")
    return folder


BERT = {"architectures": ["BertModel"], "model_type": "bert"}
WEIGHTS = "model.safetensors"


@pytest.mark.parametrize(
    ("config", "files", "kind", "words"),
    [
        ({**BERT, "auto_map": {"AutoModel": "own.py"}}, [WEIGHTS], UnsupportedModelFile, "code of its own"),
        (BERT, [], ModelFileError, "has no 'model.safetensors'"),
        (BERT, ["pytorch_model.bin"], ModelFileError, "but 'pytorch_model.bin'"),
        (BERT, ["model.safetensors.index.json"], ModelFileError, "cannot be read"),
        ("{", [WEIGHTS], ModelFileError, "cannot be read"),
        ("[]", [WEIGHTS], ModelFileError, "no table"),
        ({}, [WEIGHTS], UnsupportedModelFile, "names no network"),
        ({"architectures": ["a", "b"]}, [WEIGHTS], UnsupportedModelFile, "names no network"),
        ({"architectures": ["__import__('os')"]}, [WEIGHTS], UnsupportedModelFile, "names no network"),
        ({"architecture": "x", "library": "os"}, [WEIGHTS], UnsupportedModelFile, "names the library 'os'"),
    ],
)
def test_a_folder_that_is_none_is_refused_as_the_project_is_read(
    tmp_path: Path, config: Any, files: list[str], kind: type[EdgekitError], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        project(fake(tmp_path, config, *files))
    assert caught.value.hint


def test_a_library_that_is_not_installed_is_told_with_a_harmless_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match="a network of timm, which is not installed") as caught:
        project(fake(tmp_path, {"architecture": "resnet18"}, WEIGHTS))
    assert str(caught.value.hint).startswith("pip install --no-deps timm")


def test_a_folder_is_a_part_of_the_project(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="there is no folder 'net'"):
        project(tmp_path / "project")
    fake(tmp_path, BERT, WEIGHTS)
    with pytest.raises(SpecError, match="lies outside of the project"):
        project(tmp_path / "project", substitute('folder = "net"', 'folder = "../net"', TEXT))
