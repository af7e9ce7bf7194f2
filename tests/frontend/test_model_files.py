"""Programs of torch.export and TorchScript as the model of a project."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from edgekit.errors import (
    EdgekitError,
    LoadError,
    ModelFileError,
    SpecError,
    UnsafePickle,
    UnsupportedModelFile,
    UnsupportedOperator,
)
from edgekit.file_trace import traced
from edgekit.frontend.capture import capture
from edgekit.frontend.load import load, load_twice
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.pruning.prune import prune
from edgekit.specs.compression import Prune
from edgekit.specs.project import Project
from tests.networks import TOML, substitute, write_project


class Cell(nn.Module):
    """A little of everything that layers are made of again."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.depth = nn.Conv2d(16, 16, 3, padding=1, groups=16)
        self.up = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.shared = nn.Conv2d(8, 8, 1)
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(self.depth(self.stem(x)))
        x = torch.relu(self.shared(torch.relu(self.shared(x))))
        head: Tensor = self.head(self.norm(x.mean((2, 3))))
        return head


def network() -> Cell:
    torch.manual_seed(3)
    trained = Cell()
    trained.train()
    trained(torch.rand(8, 3, 8, 8))  # statistics of the norm
    return trained.eval()


def exported(**options: Any) -> torch.export.ExportedProgram:
    return torch.export.export(network(), (torch.rand(options.pop("batch", 1), 3, 8, 8),), **options)


def project(folder: Path, save: Callable[[Path], object], name: str = "net.pt2", toml: str = TOML) -> Project:
    """A project whose model is the file that `save` writes."""
    toml = substitute('factory = "model.py:net"', f'file = "{name}"', toml)
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings(action="ignore"):
        save(folder / name)
    return Project.read(write_project(folder, "", toml, samples=8))


def program(folder: Path, **options: Any) -> Project:
    return project(folder, lambda path: torch.export.save(exported(**options), path))


def script(folder: Path, make: Callable[[nn.Module], Any], name: str = "net.pt") -> Project:
    return project(folder, lambda path: torch.jit.save(make(network()), str(path)), name)


def traced_network(module: nn.Module) -> Any:
    return torch.jit.trace(module, torch.rand(1, 3, 8, 8))  # type: ignore[no-untyped-call]


def quality(stated: Project) -> float:
    """SQNR in dB of the project's network, as it is captured, against the network that its file was made of."""
    model = load(stated)
    pixels = torch.randint(0, 256, (1, 8, 8, 3), dtype=torch.uint8)
    with torch.no_grad():
        expected = network()(model.module.preprocess[0](pixels))
        answer = capture(model).exported.module()(pixels)
    return sqnr_db(expected.numpy(), answer.numpy())


def layers(stated: Project) -> dict[str, str]:
    named = load(stated).module.model.named_modules()
    return {name: type(layer).__name__ for name, layer in named if name and type(layer) is not nn.Module}


LAYERS = {
    "stem.0": "Conv2d", "stem.1": "BatchNorm2d", "depth": "Conv2d", "up": "ConvTranspose2d", "shared": "Conv2d",
    "norm": "LayerNorm", "head": "Linear",
}  # fmt: skip

MAKERS = {"scripted": torch.jit.script, "traced": traced_network}
quiet = pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")


def test_a_program_is_the_network_that_was_exported_with_its_layers(tmp_path: Path) -> None:
    stated = program(tmp_path)
    assert quality(stated) > 110
    assert layers(stated) == LAYERS


def test_a_program_with_a_free_batch_axis_is_taken_with_batch_1(tmp_path: Path) -> None:
    batch = torch.export.Dim("batch", min=1, max=16)
    assert quality(program(tmp_path, batch=2, dynamic_shapes=({0: batch},))) > 110


@quiet
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_torchscript_is_converted_into_the_same_network_with_its_layers(tmp_path: Path, make: Any) -> None:
    stated = script(tmp_path, make)
    assert quality(stated) > 110
    assert layers(stated) == LAYERS


@quiet
def test_a_factory_may_return_torchscript(tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    torch.jit.save(traced_network(network()), str(folder / "net.pt"))
    model = "import torch\n\ndef net():\n    return torch.jit.load('NET')\n".replace("NET", str(folder / "net.pt"))
    assert quality(Project.read(write_project(folder, model, samples=8))) > 110


@quiet
@pytest.mark.trains
@pytest.mark.parametrize("way", ["program", "traced"])
def test_channels_of_a_model_file_are_pruned(tmp_path: Path, way: str) -> None:
    model = load(program(tmp_path) if way == "program" else script(tmp_path, traced_network))
    pruned = prune(model, Prune(pattern="structured", ratio=0.5, importance="magnitude", round_to=4), None)
    assert pruned.module.model.get_submodule("stem.0").weight.shape == (8, 3, 3, 3)
    assert capture(pruned).signature.outputs[0].shape == (1, 4)


def test_a_program_is_a_part_of_the_cache_key_and_loads_twice_alike(tmp_path: Path) -> None:
    stated = program(tmp_path)
    load_twice(stated)
    one = traced(lambda: load(stated), stated.root, tmp_path / "cache")[1].digest
    with torch.no_grad():
        other = network()
        other.head.bias.add_(1)
    torch.export.save(torch.export.export(other, (torch.rand(1, 3, 8, 8),)), tmp_path / "net.pt2")
    assert traced(lambda: load(stated), stated.root, tmp_path / "cache")[1].digest != one


@pytest.mark.parametrize(
    ("old", "new", "words", "hint"),
    [
        ("[3, 8, 8]", "[3, 9, 9]", r"x float32\[1, 3, 8, 8\], and .* \[1, 3, 9, 9\]", "shape = [3, 8, 8]"),
        ("[data]", "[inputs.more]\nshape = [2]\n[data]", r"\[inputs\] states 2", "in this order"),
    ],
)  # fmt: skip
def test_other_inputs_than_the_programs_are_refused(tmp_path: Path, old: str, new: str, words: str, hint: str) -> None:
    toml = substitute(old, new, TOML)
    stated = project(tmp_path, lambda path: torch.export.save(exported(), path), toml=toml)
    with pytest.raises(SpecError, match=words) as caught:
        load(stated)
    assert hint in str(caught.value.hint)


def test_a_program_of_another_batch_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="its batch is 4, edgekit's is 1"):
        load(program(tmp_path, batch=4))


def test_a_program_in_training_mode_is_refused_with_the_way_out(tmp_path: Path) -> None:
    training = torch.export.export(nn.Sequential(nn.Flatten(), nn.Dropout()).train(), (torch.rand(1, 3, 8, 8),))
    with pytest.raises(LoadError, match="exported in training mode") as caught:
        load(project(tmp_path, lambda path: torch.export.save(training, path)))
    assert "network.eval()" in str(caught.value.hint)


def edited(path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """Write a program whose graph was edited."""
    torch.export.save(exported(), path)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = next(name for name in members if name.endswith("models/model.json"))
    document = json.loads(members[name])
    edit(document)
    members[name] = json.dumps(document).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)


def of_another_torch(document: dict[str, Any]) -> None:
    document["torch_version"] = "2.99.0"
    document["schema_version"]["major"] = 99


def with_an_unknown_operator(document: dict[str, Any]) -> None:
    document["graph_module"]["graph"]["nodes"][2]["target"] = "torch.ops.unheard.twice.default"


@pytest.mark.parametrize(
    ("edit", "kind", "words"),
    [
        (of_another_torch, UnsupportedModelFile, r"torch 2\.99\.0 wrote it, this is"),
        (with_an_unknown_operator, UnsupportedOperator, r"'unheard\.twice'"),
    ],
)
def test_a_program_that_this_torch_cannot_load_is_told_why(
    tmp_path: Path, edit: Callable[[dict[str, Any]], None], kind: type[EdgekitError], words: str
) -> None:
    stated = project(tmp_path, lambda path: edited(path, edit))
    with pytest.raises(kind, match=words) as caught:
        load(stated)
    assert caught.value.hint


class Uncommon(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        words: list[Tensor] = []
        while bool(x.sum() > len(words)):
            words.append(x)
        return torch.stack(words).sum(0)


@quiet
def test_a_script_that_cannot_be_converted_is_refused_with_the_way_out(tmp_path: Path) -> None:
    stated = project(tmp_path, lambda path: torch.jit.save(torch.jit.script(Uncommon()), str(path)), "net.pt")
    with pytest.raises(UnsupportedModelFile, match=r"'net\.pt' is TorchScript that torch cannot convert") as caught:
        load(stated)
    assert "have a factory return the nn.Module" in str(caught.value.hint)


def test_torch_is_not_asked_for_files_that_are_no_model(tmp_path: Path) -> None:
    cases: list[tuple[str, Callable[[Path], object], type[EdgekitError], str]] = [
        ("a.pt2", lambda path: path.write_bytes(b"PK\3\4 cut"), ModelFileError, "no whole archive"),
        ("b.pt", lambda path: torch.save(network().state_dict(), path), ModelFileError, "holds weights and no network"),
        ("c.pt", lambda path: torch.save(network(), path), UnsafePickle, "Cell"),
        ("d.pt", lambda path: torch.export.save(exported(), path), ModelFileError, r"give it the ending \.pt2"),
        ("e.pt2", lambda path: None, SpecError, "there is no file"),
    ]
    for name, save, kind, words in cases:
        with pytest.raises(kind) as caught:
            project(tmp_path / name, save, name)
        assert words.replace("\\", "") in f"{caught.value} {caught.value.hint}"
