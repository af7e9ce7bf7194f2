"""A detector with labels, options or outputs of another task: refused before anything is built."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Command
from tests.networks import TOML, substitute, write_project

YOLO = 'decoder = "yolo-v8"'
TASK = substitute(
    'classes = ["a", "b", "c", "d"]', 'classes = ["a", "b"]\ntask = "detection"\n\n[task]\nsize = [8, 8]\n', TOML
)


@pytest.mark.parametrize(
    ("option", "labels", "message"),
    [
        ('decoder = "decoded"', None, "the label of sample 0 has shape [], [M, 5] is needed"),
        ('decoder = "decoded"', [[0, 1, 1, 5, 5], [0, 6, 6, 2, 7]], "of sample 0 is inverted or empty as xyxy"),
        ('decoder = "decoded"', [[1, 1, 1, 5, 5], [0, 2, 2, 20, 7]], "is outside the picture of 8x8 pixels"),
        ('decoder = "decoded"', [[2, 1, 1, 5, 5]], "is of a class outside 0 to 1"),
    ],
)
def test_labels_are_refused_before_the_network_is_loaded(
    option: str,
    labels: list[list[float]] | None,
    message: str,
    tmp_path: Path,
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder = write_project(tmp_path / "project", toml=substitute("size = [8, 8]", f"size = [8, 8]\n{option}", TASK))
    with np.load(folder / "data.npz") as data:
        image, classes = data["image"], data["labels"]
    boxes = classes if labels is None else np.repeat(np.array([labels], float), len(image), axis=0)
    np.savez(folder / "data.npz", image=image, labels=boxes)
    # Whoever loads it gets a TypeError.
    monkeypatch.setattr("edgekit.frontend.load.load", None)
    refusal = command("build", "--project", folder, "--target", "host", "--out", tmp_path / "out").refused("EK105", 2)
    assert message in refusal
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ('decoder = "yolo-v9"', "no decoder is named 'yolo-v9'"),
        (
            'decoder = { kind = "ssd", strides = [8] }',
            "[task.decoder]: a decoder of priors needs exactly one of 'sizes' and 'anchors'",
        ),
        ("threshold = 0.5", "[task]: 'decoder': is missing"),
        ('decoder = { kind = "fastest-v2", anchors = [[[9, 9]]] }', "[task.decoder]: 'anchors' needs a list for each"),
        ('decoder = "decoded"\nbox_format = "xyzw"', "'box_format'"),
    ],
)
def test_options_are_refused_before_data_are_read(option: str, message: str, tmp_path: Path, command: Command) -> None:
    folder = write_project(tmp_path / "project", toml=substitute("size = [8, 8]", f"size = [8, 8]\n{option}", TASK))
    (folder / "data.npz").write_bytes(b"")
    ended = command("build", "--project", folder, "--target", "host", "--out", tmp_path / "out")
    assert ended.code == 2
    assert ended.err.startswith("error EK101: edgekit.toml: [task")
    assert message in ended.err


def test_outputs_of_another_number_of_classes_than_are_named_are_refused(tmp_path: Path, command: Command) -> None:
    """Any rows of more than four numbers are boxes and scores to a decoder: the names tell that it is another one."""
    net = (
        "class Boxes(nn.Module):\n"
        "    def forward(self, image):\n"
        "        return image.flatten(1).reshape(-1, 12, 16)\n"
        "def net():\n    return Boxes()\n"
    )
    folder = write_project(tmp_path / "project", toml=substitute("size = [8, 8]", f"size = [8, 8]\n{YOLO}", TASK))
    (folder / "model.py").write_text(f"from torch import nn\n\n{net}")
    with np.load(folder / "data.npz") as data:
        boxes = np.repeat(np.array([[[0, 1, 1, 5, 5]]], float), len(data["image"]), axis=0)
        np.savez(folder / "data.npz", image=data["image"], labels=boxes)
    refusal = command("build", "--project", folder, "--target", "host", "--out", tmp_path / "out").refused("EK105", 2)
    assert "[model] classes names 2, the outputs have scores of 8: 'output' [" in refusal
