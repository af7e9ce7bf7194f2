"""Groups of samples that are not independent, from each kind of data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pytest
from PIL import Image
from pyarrow import parquet

from edgekit.datasets.groups import group_numbers
from edgekit.errors import DataError
from edgekit.samples import Samples, load_samples
from edgekit.specs.project import Project

FACTS = 'licence = "CC0", source = "made"'
LOADER = """
import numpy as np

class Frames:
    videos = ["b", "a", "b", "a"]

    def __len__(self):
        return 4

    def __getitem__(self, i):
        return np.full(2, i, np.float32), i % 2
"""


def loaded(folder: Path, source: str, inputs: str = "[inputs.x]\nshape = [2]\n", limit: int | None = None) -> Samples:
    classes = 'classes = ["cat", "dog"]'
    (folder / "edgekit.toml").write_text(
        f'[model]\nfactory = "model.py:make"\ntask = "classification"\n{classes}\n{inputs}'
        f"[data]\nevaluation = {{ {source}, {FACTS} }}\n"
    )
    return load_samples(Project.read(folder), "evaluation", limit)


def test_groups_come_from_an_array_a_column_and_an_attribute(tmp_path: Path) -> None:
    x, labels = np.arange(8, dtype=np.float32).reshape(4, 2), np.array([0, 1, 0, 1])
    np.savez(tmp_path / "set.npz", x=x, labels=labels, video=np.array([7, 3, 7, 3]))
    table = {"x": x.tolist(), "label": labels, "video": ["b", "a", "b", "a"]}
    parquet.write_table(pyarrow.table(table), tmp_path / "set.parquet")
    (tmp_path / "data.py").write_text(LOADER + "\ndef test():\n    return Frames()\n")
    for source in (
        'path = "set.npz", group = "video"',
        'path = "set.parquet", group = "video"',
        'loader = "data.py:test", group = "videos"',
    ):
        samples = loaded(tmp_path, source)
        assert samples.groups is not None
        assert samples.groups.tolist() == [1, 0, 1, 0], source
        assert samples.take([0, 2]).groups.tolist() == [1, 1]  # type: ignore[union-attr]
    assert loaded(tmp_path, 'path = "set.npz"').groups is None


def test_folders_of_frames_are_groups_and_one_video_may_show_two_classes(tmp_path: Path) -> None:
    for place in ("cat/v1/0", "cat/v1/1", "cat/v2/0", "cat/alone", "dog/v2/1", "dog/v3/0"):
        file = tmp_path / "frames" / f"{place}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), 9).save(file)
    inputs = '[inputs.image]\nshape = [1, 4, 4]\npreprocess = { from = "uint8 NHWC" }\n'
    samples = loaded(tmp_path, 'path = "frames", group = "folder"', inputs)
    assert samples.labels.tolist() == [0, 0, 0, 0, 1, 1]
    alone, *_, second, third = range(4)
    assert samples.groups is not None
    assert samples.groups.tolist() == [alone, 1, 1, second, second, third]


def test_groups_are_kept_with_the_samples_beside_an_input_of_that_name(tmp_path: Path) -> None:
    inputs = {"groups": np.zeros((3, 2), np.float32)}
    Samples(inputs, np.arange(3), groups=np.array([0, 0, 1])).save(tmp_path)
    read = Samples.read(tmp_path)
    assert list(read.inputs) == ["groups"]
    assert read.groups is not None
    assert read.groups.tolist() == [0, 0, 1]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1, 2], "has 2 values, one for each of 3 samples is needed"),
        (np.zeros((3, 2)), "has shape [3, 2]"),
        (["a", None, "b"], "is empty for 1 sample, first for sample 1"),
        ([1.0, float("nan"), 2.0], "is empty for 1 sample, first for sample 1"),
        (["a", "a", "a"], "all 3 samples are of one group by 'video'"),
    ],
)
def test_groups_that_say_nothing_are_refused(values: Any, said: str) -> None:
    with pytest.raises(DataError) as caught:
        group_numbers(values, 3, "video", "evaluation data of 'p'")
    assert said in str(caught.value)
    assert caught.value.hint


def test_a_group_that_is_not_there_is_told(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=np.zeros((2, 2), np.float32), labels=np.array([0, 1]))
    with pytest.raises(DataError, match="has no group 'video'"):
        loaded(tmp_path, 'path = "set.npz", group = "video"')
