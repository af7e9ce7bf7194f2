"""A state dict for the factory's network: loaded strictly, adapted where that is sure, refused by name otherwise."""

from __future__ import annotations

import argparse
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from edgekit.errors import EdgekitError, ModelFileError, SpecError, UnsafePickle, WeightsMismatch
from edgekit.file_trace import traced
from edgekit.frontend import weights as weight_files
from edgekit.frontend.load import Model, load, load_twice, weights_digest
from edgekit.specs.project import Project
from tests.networks import TOML, substitute, write_project

NETWORK = """
from torch import nn

def net():
    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                         nn.Linear(8, 4))
"""
"""A factory that loads nothing: its weights are random each time."""


def trained() -> dict[str, Tensor]:
    torch.manual_seed(7)
    space: dict[str, Any] = {}
    exec(NETWORK, space)
    state: dict[str, Tensor] = space["net"]().state_dict()
    return state


def project(folder: Path, content: object, name: str = "weights.pt", key: str = "") -> Project:
    """A project whose `[model] weights` is a file with this content."""
    more = f'weights = "{name}"\n' + (f'weights_key = "{key}"\n' if key else "")
    root = write_project(folder, NETWORK, substitute("classes =", more + "classes =", TOML), samples=4)
    if name.endswith(".safetensors"):
        assert isinstance(content, dict)
        save_file(content, root / name)
    else:
        torch.save(content, root / name)
    return Project.read(root)


def weights(model: Model) -> dict[str, Tensor]:
    return {name.removeprefix("model."): value for name, value in model.module.state_dict().items() if "model." in name}


def assert_same(model: Model, state: Mapping[str, Tensor]) -> None:
    assert weights(model).keys() == state.keys()
    for name, value in weights(model).items():
        assert torch.equal(value, state[name].to(value.dtype)), name


@pytest.mark.parametrize("name", ["weights.pt", "weights.pth", "weights.ckpt", "weights.safetensors"])
def test_a_state_dict_is_loaded_into_the_network(tmp_path: Path, name: str) -> None:
    one, twin = load_twice(project(tmp_path, trained(), name))  # random weights would differ
    assert_same(one, trained())
    assert_same(twin, trained())
    assert dict(one.history[0].options) == {"file": name}


@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module.", "backbone."])
def test_a_prefix_of_all_names_is_taken_off_and_told(tmp_path: Path, prefix: str) -> None:
    model = load(project(tmp_path, {prefix + name: value for name, value in trained().items()}))
    assert_same(model, trained())
    assert dict(model.history[0].options)["prefix"].replace("-", "") == prefix


@pytest.mark.parametrize("key", ["state_dict", "model", "ema"])
def test_a_state_dict_inside_a_checkpoint_is_found_and_told(tmp_path: Path, key: str) -> None:
    model = load(project(tmp_path, {"epoch": 3, key: trained(), "optimizer": {"state": {}}}))
    assert_same(model, trained())
    assert dict(model.history[0].options)["key"] == key


def test_of_two_that_fit_the_project_states_one(tmp_path: Path) -> None:
    average = {name: value * 2 for name, value in trained().items()}
    content = {"model": trained(), "ema": average}
    with pytest.raises(WeightsMismatch, match="several state dicts that fit: model, ema") as caught:
        load(project(tmp_path / "one", content))
    assert 'weights_key = "model"' in str(caught.value.hint)
    assert_same(load(project(tmp_path / "two", content, key="ema")), average)
    with pytest.raises(WeightsMismatch, match="no state dict 'best'") as caught:
        load(project(tmp_path / "three", content, key="best"))
    assert "model, ema" in str(caught.value.hint)


def test_half_precision_becomes_the_networks(tmp_path: Path) -> None:
    half = {name: value.half() if value.is_floating_point() else value for name, value in trained().items()}
    model = load(project(tmp_path, half))
    assert_same(model, half)
    assert weights(model)["0.weight"].dtype == torch.float32
    assert dict(model.history[0].options)["dtype"] == "float16 to float32"


def test_names_that_differ_are_told_with_their_number(tmp_path: Path) -> None:
    state = trained()
    del state["0.bias"]
    state |= {f"head.{i}": torch.zeros(1) for i in range(5)}
    with pytest.raises(WeightsMismatch, match=r"lacks '0\.bias' and has 'head\.0', 'head\.1', 'head\.2' and 2 more"):
        load(project(tmp_path, state))


def test_shapes_that_differ_are_told(tmp_path: Path) -> None:
    state = trained() | {"5.weight": torch.zeros(10, 8), "5.bias": torch.zeros(10)}
    with pytest.raises(WeightsMismatch, match=r"'5\.weight' \[10, 8\], the network's is \[4, 8\]; '5\.bias' \[10\]"):
        load(project(tmp_path, state))


def test_integers_for_floats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match=r"integers \(torch\.int8\).*'0\.weight'"):
        load(project(tmp_path, trained() | {"0.weight": torch.zeros(8, 3, 3, 3, dtype=torch.int8)}))


def test_counters_of_batch_norm_may_be_absent(tmp_path: Path) -> None:
    state = {name: value for name, value in trained().items() if "num_batches" not in name}
    assert torch.equal(weights(load(project(tmp_path, state)))["0.weight"], state["0.weight"])


def test_the_file_of_weights_is_a_part_of_the_cache_key(tmp_path: Path) -> None:
    stated = project(tmp_path, trained())
    keys = [traced(lambda: load(stated), stated.root, tmp_path / "cache")[1].digest for _ in range(2)]
    torch.save({name: value + 1 for name, value in trained().items()}, stated.root / "weights.pt")
    assert keys[0] == keys[1] != traced(lambda: load(stated), stated.root, tmp_path / "cache")[1].digest


class Touch:
    """An object whose pickle would make a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("content", ["network", "namespace", "code"])
def test_pickled_code_is_refused_unread_with_the_way_out(tmp_path: Path, content: str, legacy: bool) -> None:
    objects = {
        "network": torch.nn.Sequential(torch.nn.Linear(2, 2)),
        "namespace": {"state_dict": trained(), "args": argparse.Namespace(lr=0.1)},
        "code": {"state_dict": trained(), "x": Touch(tmp_path / "harm")},
    }
    folder = tmp_path / "project"
    stated = project(folder, trained())
    torch.save(objects[content], stated.root / "weights.pt", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UnsafePickle, match="to read it is to run code") as caught:
        Project.read(folder)
    assert "state_dict(), 'weights.pt'" in str(caught.value.hint)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize(
    ("content", "kind", "words"),
    [
        (b"", ModelFileError, "it is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", ModelFileError, "pointer of Git LFS"),
        (b"<html>404</html>", ModelFileError, "neither by torch nor by safetensors"),
        (b"PK\3\4 cut short", ModelFileError, "no whole archive"),
        (None, SpecError, r"there is no file 'weights\.pt'"),
    ],
)
def test_a_file_that_is_none_is_refused_as_the_project_is_read(
    tmp_path: Path, content: bytes | None, kind: type[EdgekitError], words: str
) -> None:
    stated = project(tmp_path, trained())
    file = stated.root / "weights.pt"
    file.unlink() if content is None else file.write_bytes(content)
    with pytest.raises(kind, match=words) as caught:
        Project.read(tmp_path)
    assert caught.value.hint


def test_a_checkpoint_without_a_state_dict_is_told_by_its_keys(tmp_path: Path) -> None:
    with pytest.raises(WeightsMismatch, match=r"holds no state dict: it is a dict of epoch, loss"):
        load(project(tmp_path, {"epoch": 1, "loss": 0.5}))


def test_a_plain_pickle_of_arrays_is_refused(tmp_path: Path) -> None:
    stated = project(tmp_path, trained())
    (stated.root / "weights.pt").write_bytes(pickle.dumps({"w": argparse.Namespace()}))
    with pytest.raises(UnsafePickle, match=r"argparse\.Namespace"):
        Project.read(tmp_path)


def test_torchscript_and_programs_are_no_weights(tmp_path: Path) -> None:
    stated = project(tmp_path, trained())
    network = torch.nn.Linear(2, 2)
    example = (torch.zeros(1, 2),)
    torch.export.save(torch.export.export(network, example), stated.root / "other.pt2")
    (stated.root / "other.pt2").replace(stated.root / "weights.pt")
    with pytest.raises(ModelFileError, match=r"program of torch\.export, not a state dict") as caught:
        Project.read(tmp_path)
    assert ".pt2" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('weights = "weights.txt"', "ends with none of"),
        ('file = "net.pt2"', "'factory' and 'file': exactly one"),
        ('weights_key = "ema"', "which is not stated"),
        ('wieghts = "weights.pt"', "no such key"),
    ],
)
def test_a_source_that_cannot_be_meant_is_refused(tmp_path: Path, line: str, words: str) -> None:
    toml = substitute("classes =", f"{line}\nclasses =", TOML)
    with pytest.raises(SpecError, match=words):
        Project.read(write_project(tmp_path, NETWORK, toml, samples=4))


@pytest.mark.parametrize("name", ["weights.safetensors", "weights.pt"])
def test_parameters_of_a_large_model_are_the_pages_of_its_file(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = trained()
    plain = load(project(tmp_path / "plain", state, name))
    monkeypatch.setattr(weight_files, "LARGE_BYTES", 1)
    large = load(project(tmp_path / "large", state, name))
    maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(f"large/{name}")]
    pages = [range(*(int(end, 16) for end in line.split()[0].split("-"))) for line in maps]
    mapped = {name for name, value in weights(large).items() if any(value.data_ptr() in each for each in pages)}
    # Batch norm loads in a way of its own, and a forward may write into buffers.
    assert mapped == {"0.weight", "0.bias", "5.weight", "5.bias"}
    assert weights_digest(large.module) == weights_digest(plain.module)


def test_tied_parameters_stay_tied_in_a_large_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
    second.weight = first.weight
    network = torch.nn.Sequential(first, second)
    values = {name: torch.full_like(value, 7.0) for name, value in network.state_dict().items() if name != "1.weight"}
    save_file(values, tmp_path / "w.safetensors")
    monkeypatch.setattr(weight_files, "LARGE_BYTES", 1)
    weight_files.load_weights(network, tmp_path / "w.safetensors", "w.safetensors")
    assert second.weight is first.weight
    assert bool((second.weight == 7).all())
