"""Files that cannot be read are left out and told by name and reason; a class that lost all of them is an error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as arrow
import pytest
from PIL import Image
from pyarrow import parquet

from edgekit.datasets.pictures import read_picture
from edgekit.errors import EmptyClass, PictureError, RecordingError
from edgekit.samples import Samples, load_samples
from edgekit.specs.project import Project

TOML = """
[model]
factory = "model.py:make"
classes = ["ant", "cow"]

[inputs.image]
shape = [3, 4, 4]
preprocess = {{ from = "uint8 NHWC", resize = {{ size = [4, 4], kernel = "area" }} }}

[data]
evaluation = {{ {data}, licence = "none", source = "made up" }}
"""
HEIC = b"\0\0\0\x18ftypheic" + bytes(80)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes of eight pictures of several sizes, a brightness each, by which a test knows them again."""
    for label, name in enumerate(("ant", "cow")):
        (tmp_path / "set" / name).mkdir(parents=True)
        for i in range(8):
            pixels = np.full((5 + i, 9 - i, 3), 10 * i + 100 * label, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "set" / name / f"{i}.png")
    return tmp_path


def load(folder: Path, limit: int | None = None, data: str = 'path = "set"') -> Samples:
    (folder / "edgekit.toml").write_text(TOML.format(data=data))
    return load_samples(Project.read(folder), "evaluation", limit)


def told(samples: Samples) -> str:
    assert samples.sampling
    return " ".join(samples.sampling.left_out)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-30])


def brightness(samples: Samples) -> list[int]:
    levels: list[int] = samples.inputs["image"][:, 0, 0, 0].tolist()
    return levels


def test_files_that_cannot_be_read_are_left_out_and_told_with_the_reason(folder: Path) -> None:
    cut(folder / "set" / "ant" / "1.png")
    (folder / "set" / "cow" / "2.png").write_bytes(HEIC)
    for name in ("3.png", "4.png"):
        (folder / "set" / "cow" / name).write_bytes(b"")
    (folder / "set" / "cow" / "IMG_7.heic").write_bytes(HEIC)
    samples = load(folder)
    assert brightness(samples) == [0, *range(20, 80, 10), 100, 110, *range(150, 180, 10)]
    assert samples.labels.tolist() == [0] * 7 + [1] * 5
    assert samples.metadata
    assert samples.metadata.ids[7:] == ("cow/0.png", "cow/1.png", "cow/5.png", "cow/6.png", "cow/7.png")
    assert samples.sampling
    assert (samples.sampling.taken, samples.sampling.total) == (12, 12)
    assert "1 file of the evaluation data" in told(samples)
    assert "1 .heic in 'cow' ('IMG_7.heic')" in told(samples)
    assert "4 files of the evaluation data" in told(samples)
    assert "'ant/1.png' cannot be read as a picture: " in told(samples)
    assert "'cow/2.png' cannot be read as a picture: it holds HEIC" in told(samples)
    assert "'cow/3.png', 'cow/4.png' cannot be read as a picture: it is empty" in told(samples)


def test_a_class_that_lost_all_of_its_samples_is_an_error(folder: Path) -> None:
    for file in (folder / "set" / "cow").iterdir():
        cut(file)
    for limit in (None, 8):
        with pytest.raises(EmptyClass, match=r"of class 'cow' none of 8 files can be read: 'cow/0\.png', .* 3 more"):
            load(folder, limit)


def test_where_none_can_be_read_it_is_an_error(folder: Path) -> None:
    for file in (folder / "set").rglob("*.png"):
        cut(file)
    with pytest.raises(PictureError, match="none of 16 files can be read") as refused:
        load(folder)
    assert "convert it to PNG or JPEG" in str(refused.value.hint)
    with pytest.raises(PictureError, match="none of 16 files can be read"):
        load(folder, data='path = "set", labelled = false')


def test_others_of_the_class_take_their_place(folder: Path) -> None:
    whole = load(folder, 8)
    for level in brightness(whole)[:2]:
        cut(folder / "set" / "ant" / f"{level // 10}.png")
    samples = load(folder, 8)
    assert samples.labels.tolist() == whole.labels.tolist() == [0] * 4 + [1] * 4
    assert brightness(samples)[2:] == brightness(whole)[2:]
    assert len(set(brightness(samples))) == 8
    assert samples.sampling
    assert (samples.sampling.taken, samples.sampling.total) == (8, 14)
    # Asked for once more, such as for the gallery of flips, they are the same.
    assert brightness(load(folder, samples.sampling.taken)) == brightness(samples)
    assert "2 files of the evaluation data" in told(samples)


def test_one_of_another_class_takes_the_place_where_a_class_is_read_to_the_end(folder: Path) -> None:
    for i in range(3):
        cut(folder / "set" / "cow" / f"{i}.png")
    for i in range(3, 7):
        (folder / "set" / "cow" / f"{i}.png").unlink()
    samples = load(folder, 8)
    assert samples.labels.tolist().count(1) == 1
    assert len(samples) == 8


def test_a_folder_without_labels_tells_what_it_left_out(folder: Path) -> None:
    cut(folder / "set" / "ant" / "1.png")
    (folder / "set" / "cow" / "IMG_7.heic").write_bytes(HEIC)
    samples = load(folder, data='path = "set", labelled = false')
    assert len(samples) == 15
    assert "1 .heic in 'cow' ('IMG_7.heic')" in told(samples)
    assert "'ant/1.png' cannot be read" in told(samples)


def test_pictures_of_parquet_are_decoded_when_they_are_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = [file.read_bytes() for file in sorted((folder / "set").rglob("*.png"))]
    cells[3] = cells[3][:-30]
    table = arrow.table({"image": cells, "label": [0] * 8 + [1] * 8})
    parquet.write_table(table, folder / "set.parquet")
    samples = load(folder, data='path = "set.parquet"')
    assert len(samples) == 15
    assert "row 3 of 'set.parquet' cannot be read as a picture: " in told(samples)
    decoded: list[Any] = []

    def counted(*rest: Any) -> Any:
        decoded.append(rest)
        return read_picture(*rest)

    monkeypatch.setattr("edgekit.datasets.read_picture", counted)
    assert len(load(folder, 8, 'path = "set.parquet"')) == 8
    assert len(decoded) <= 9


def test_recordings_are_left_out_alike(tmp_path: Path) -> None:
    for name in ("ant", "cow"):
        (tmp_path / "set" / name).mkdir(parents=True)
        (tmp_path / "set" / name / "1.wav").write_bytes(b"RIFF")
    (tmp_path / "edgekit.toml").write_text(
        TOML.format(data='path = "set"')
        .replace("shape = [3, 4, 4]", "shape = [100]\naudio = { rate = 8000 }")
        .replace("preprocess", "# ")
    )
    with pytest.raises(RecordingError, match=r"none of 2 files can be read: 'ant/1\.wav', 'cow/1\.wav' cannot be read"):
        load_samples(Project.read(tmp_path), "evaluation")
