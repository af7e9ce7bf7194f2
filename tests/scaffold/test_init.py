"""`init`: projects written from what lies in a folder, which load and answer; and what is refused."""

from __future__ import annotations

import os
import pickle
import re
import shutil
import stat
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from edgekit.scaffold.survey import ProjectParts, draft
from edgekit.specs.project import Project
from tests.conftest import Command
from tests.networks import COLOURS

NAMES = ("blue", "green", "red", "yellow")
BY_NAME = dict(zip(("red", "green", "blue", "yellow"), COLOURS, strict=True))
NET = """
import torch
from torch import nn


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


class Net(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.stem = nn.Conv2d(3, 3, 1, bias=False)
        self.mean = Mean()
        self.head = nn.Linear(3, num_classes)

    def forward(self, x):
        return self.head(self.mean(self.stem(x)))
"""
LINE = """
from torch import nn


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.line = nn.Linear(2, 1)

    def forward(self, x):
        return self.line(x)
"""
MAKER = """

def make():
    net = Net(4)
    net.load_state_dict(torch.load(__file__[:-8] + 'weights.pt'))
    return net
"""
MEAN, STD = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])


def state() -> dict[str, torch.Tensor]:
    """Weights that tell the colours apart if pixels were normalized as ImageNet's are, and hardly otherwise."""
    pixels = (torch.tensor([BY_NAME[name] for name in NAMES]) / 255 - MEAN) / STD
    with_one = torch.cat([pixels, torch.ones(4, 1)], 1)
    solved = torch.linalg.solve(with_one, 8 * torch.eye(4)).T
    return {"stem.weight": torch.eye(3).reshape(3, 3, 1, 1), "head.weight": solved[:, :3], "head.bias": solved[:, 3]}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: weights, the file with the network, and pictures by class, of one size."""
    folder = tmp_path_factory.mktemp("user") / "Blüte's 😀 bilder"
    folder.mkdir()
    (folder / "net.py").write_text(NET)
    torch.save(state(), folder / "weights.pt")
    draws = np.random.default_rng(0)
    for name, colour in BY_NAME.items():
        (folder / "photos" / name).mkdir(parents=True)
        for i in range(6):
            noise = draws.integers(-20, 20, (8, 8, 3))
            pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "photos" / name / f"{i}.png")
    return folder


@pytest.fixture
def folder(source: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(source, tmp_path / source.name))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_weights_a_class_and_pictures_become_a_project_with_the_normalization_that_is_right(
    command: Command, folder: Path
) -> None:
    (folder / "photos" / "red" / "old.heic").write_bytes(b"ftypheic")
    (folder / "photos" / "red" / "9.png").write_bytes(b"no picture")
    ended = command("init", folder, "--yes")
    assert ended.code == 0, ended.err
    for words in (
        "wrote model.py, data.py, edgekit.toml",
        "model: 'weights.pt' (state dict), network 'net.py:Net'",
        "in 4 classes",
        "1 file .heic: not read",
        "1 damaged, left out: red/9.png",
        "tried: right on 100% of 19 samples with mean and std of ImageNet",
        "next: edgekit build --target host --project '",
    ):
        assert words in ended.out, ended.out
    model = (folder / "model.py").read_text()
    assert "net = Net(num_classes=4)" in model
    assert 'torch.load(weights, map_location="cpu", weights_only=True)' in model
    project = Project.read(folder)
    assert project.inputs["image"].preprocess.mean == (0.485, 0.456, 0.406)  # type: ignore[union-attr]
    assert project.inputs["image"].shape == (3, 8, 8)
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((folder / "edgekit.toml").stat().st_mode) == 0o644
    before = contents(folder)
    assert "has a project already" in command("init", folder, "--yes").refused("EK124", 2)
    assert contents(folder) == before


def test_a_function_that_loads_its_weights_is_the_factory_and_names_that_are_taken_are_left_alone(
    command: Command, folder: Path
) -> None:
    (folder / "model.py").write_text(NET + MAKER)
    (folder / "data.py").write_text("MINE = 1\n")
    (folder / "net.py").unlink()
    ended = command("init", folder, "--yes", "--json")
    assert ended.code == 0, ended.err
    assert ended.document["files"] == ["edgekit_data.py", "edgekit.toml"]
    assert (folder / "data.py").read_text() == "MINE = 1\n"
    assert 'factory = "model.py:make"' in (folder / "edgekit.toml").read_text()


def test_one_command_leads_from_a_folder_to_a_verdict(
    command: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)
    assert "no target is named 'hosd'" in command("init", folder, "--yes", "--build", "hosd").refused("EK102", 2)
    command("init", folder, "--yes", "--build", "host", "--json").refused("EK104", 2)
    assert contents(folder) == before
    monkeypatch.chdir(folder)  # where `edgekit-out` goes
    ended = command("init", "--yes", "--build", "host")
    assert "next: edgekit build" not in ended.out
    # Twenty pixels of a colour each are too few and too alike: what counts is that gates were decided on them.
    assert re.search(r"^(PASSED|FAILED|UNDECIDED)  host, host-int8", ended.out, re.MULTILINE), ended.out + ended.err
    assert "wrote model.py, data.py, edgekit.toml" in ended.out
    assert [path.suffix for path in (folder / "edgekit-out").glob("*/*.edgekit")] == [".edgekit"]


def test_a_checkpoint_is_adapted_a_table_is_read_and_a_number_is_a_regression(command: Command, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(LINE)
    weights = {"module.line.weight": torch.ones(1, 2), "module.line.bias": torch.zeros(1)}
    torch.save({"epoch": 3, "state_dict": weights}, tmp_path / "best.ckpt")
    rows = "".join(f"{i};{i / 2};{1.5 * i};kitchen\n" for i in range(40))
    (tmp_path / "sensor.csv").write_text("a;b;y;place\n" + rows)
    ended = command("init", tmp_path, "--yes")
    assert ended.code == 0, ended.err
    assert "columns that are not read: place" in ended.out
    toml = (tmp_path / "edgekit.toml").read_text()
    assert 'task = "regression"' in toml
    assert 'weights = "best.ckpt"' in toml
    assert Project.read(tmp_path).inputs["x"].shape == (2,)


@pytest.mark.parametrize("kind", ["pt2", "onnx"])
def test_a_whole_model_needs_no_network(command: Command, folder: Path, kind: str) -> None:
    class Mean(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.head = nn.Conv2d(3, 3, 1, bias=False), nn.Linear(3, 4)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y: torch.Tensor = self.head(self.stem(x).mean((2, 3)))
            return y

    net = Mean().eval()
    net.load_state_dict(state())
    (folder / "net.py").unlink()
    (folder / "weights.pt").unlink()
    example = (torch.zeros(1, 3, 16, 16),)
    if kind == "pt2":
        torch.export.save(torch.export.export(net, example), folder / "net.pt2")
    else:
        with warnings.catch_warnings(action="ignore"):
            torch.onnx.export(net, example, folder / "net.onnx", input_names=["input.1"], dynamo=False)
    ended = command("init", folder, "--yes")
    assert ended.code == 0, ended.err
    project = Project.read(folder)
    (name,) = project.inputs
    assert (name, project.inputs[name].shape) == ({"onnx": "input.1", "pt2": "x"}[kind], (3, 16, 16))
    assert project.inputs[name].steps  # pictures of 8 x 8 are resized
    assert "right on 100%" in ended.out


def test_arrays_are_samples(command: Command, folder: Path) -> None:
    shutil.rmtree(folder / "photos")
    labels = np.arange(40) % 4
    images = np.array([BY_NAME[NAMES[label]] for label in labels], np.uint8)[:, None, None].repeat(4, 1).repeat(4, 2)
    np.savez(folder / "set.npz", x_train=images, y_train=labels, x_test=images[:20], y_test=labels[:20])
    ended = command("init", folder, "--yes")
    assert ended.code == 0, ended.err
    assert "tried: right on 100% of 20 samples with mean and std of ImageNet" in ended.out


@pytest.mark.parametrize("part", ["test", "val", "train"])
@pytest.mark.parametrize("deep", [True, False])
def test_one_part_of_a_set_is_a_set_to_be_split(folder: Path, part: str, deep: bool) -> None:
    above = folder / "photos" if deep else folder
    moved = (folder / "photos").rename(folder / "moved")
    above.mkdir(exist_ok=True)
    moved.rename(above / part)
    drafted = draft(folder, ProjectParts(), answered)
    assert drafted.data.path == above / part
    assert drafted.classes == NAMES
    assert "calibration()" in drafted.files["data.py"]
    learned = [sentence for sentence in drafted.data.other if "trained on flatter" in sentence]
    assert bool(learned) == (part == "train")


def test_a_table_of_pictures_is_the_samples_and_not_the_folder_beside_it(folder: Path) -> None:
    rows = [f"photos/{name}/{i}.png,{name}" for name in NAMES for i in range(6)]
    (folder / "labels.csv").write_text("\n".join(["file,label", *rows]))
    drafted = draft(folder, ProjectParts(), answered)
    assert drafted.data.path.name == "labels.csv"
    assert drafted.classes == NAMES


def test_a_function_whose_weights_are_elsewhere_is_told_with_the_class_beside_it(
    command: Command, folder: Path
) -> None:
    (folder / "net.py").write_text(NET + MAKER.replace("weights.pt", "gone.pt"))
    message = command("init", folder, "--yes").refused("EK201", 3)
    assert "edgekit init --network net.py:Net --model weights.pt" in message


def answered(question: str, answers: Sequence[str], default: str) -> str:
    assert len(answers) <= 1, question
    return answers[0] if answers else default


class Harm:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("touch harm",)


def test_what_init_refuses_leaves_the_folder_as_it_was(command: Command, folder: Path, tmp_path: Path) -> None:
    def refused(code: str, *options: object) -> str:
        before = contents(folder)
        message = command("init", folder, "--yes", *options).refused(code, 2)
        assert contents(folder) == before
        return message

    empty = tmp_path / "empty"
    empty.mkdir()
    message = command("init", empty, "--yes").refused("EK123", 2)
    assert "no model" in message
    assert "--model FILE" in message
    (folder / "second.safetensors").write_bytes(b"")
    message = refused("EK123")
    assert "second.safetensors, weights.pt" in message
    assert "hint: state one: --model second.safetensors" in message
    assert "it is empty" in refused("EK107", "--model", folder / "second.safetensors")
    (folder / "second.safetensors").unlink()
    (folder / "whole.pkl").write_bytes(pickle.dumps(Harm()))
    message = refused("EK114", "--model", folder / "whole.pkl")
    assert "weights_only=True" in message
    assert "posix.system" in message
    assert not Path("harm").exists()
    (folder / "whole.pkl").unlink()
    (folder / "photos" / "red2").mkdir()
    (folder / "photos" / "red2" / "1.heic").write_bytes(b"ftypheic")
    assert "class 'red2'" in refused("EK111")
    shutil.rmtree(folder / "photos" / "red2")
    (folder / "net.py").write_text(NET.replace("num_classes)", "num_classes, width)", 1))
    message = refused("EK123")
    assert "takes 'width'" in message
    assert "def network(): net = Net(" in message
    (folder / "photos" / "edgekit.toml").write_text("")
    assert "has projects in it: 'photos'" in refused("EK124")
    (folder / "photos" / "edgekit.toml").unlink()
    (tmp_path / "edgekit.toml").write_text("")
    assert "two projects in one" in refused("EK124")


def test_a_network_that_fails_is_told_and_nothing_stays(command: Command, folder: Path) -> None:
    (folder / "net.py").write_text(NET.replace("Conv2d(3, 3, 1", "Conv2d(3, 5, 1"))
    before = contents(folder)
    ended = command("init", folder, "--yes")
    assert "'stem.weight'" in ended.refused("EK215", 3)
    assert contents(folder) == before


def test_what_is_found_twice_is_asked_for(folder: Path) -> None:
    torch.save(state(), folder / "older.pt")
    questions: list[tuple[str, tuple[str, ...]]] = []

    def ask(question: str, answers: object, default: str) -> str:
        questions.append((question, tuple(answers)))  # type: ignore[arg-type]
        return default or "weights.pt"

    drafted = draft(folder, ProjectParts(), ask)
    assert questions[0][1] == ("older.pt", "weights.pt")
    assert drafted.model is not None
    assert drafted.model.path.name == "weights.pt"
    assert [question for question, answers in questions if not answers] == [
        "licence of the data, such as CC BY 4.0",
        "where the data come from",
    ]
