"""Names of samples on the user's disk, and the columns by which an evaluation set is sliced."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from edgekit.datasets.metadata import FILE, Metadata, typed_column
from edgekit.errors import DataError, SpecError
from edgekit.samples import Samples, load_samples
from edgekit.specs.project import Project

MODEL = '[model]\nfactory = "model.py:make"\n'
PLAIN = MODEL + "[inputs.x]\nshape = [2]\n"
PICTURES = MODEL + (
    'classes = ["cat", "dog"]\n[inputs.x]\nshape = [3, 4, 4]\n'
    'preprocess = { from = "uint8 NHWC", resize = { size = [4, 4], kernel = "bilinear" } }\n'
)
DATA_PY = """
import numpy as np

class Set:
    ids = ["a", "b", "c"]
    metadata = {"camera": ["x", "y", None], "lux": [1, None, 3]}
    def __len__(self): return 3
    def __getitem__(self, i): return np.full(2, i, np.float32), i % 2

def samples(): return Set()
def light(inputs, labels): return {"light": inputs["x"].mean(axis=1), "label": labels > 0}
def short(inputs, labels): return {"light": [1.0]}
def fails(inputs, labels): return {"light": inputs["y"]}
def nothing(inputs, labels): return None
"""


def project(folder: Path, head: str, data: str) -> Project:
    (folder / "data.py").write_text(DATA_PY)
    stated = f'[data]\nevaluation = {{ {data}, licence = "none", source = "made up" }}\n'
    (folder / "edgekit.toml").write_text(head + stated)
    return Project.read(folder)


def metadata(folder: Path, head: str, data: str, limit: int | None = None) -> Metadata:
    samples = load_samples(project(folder, head, data), "evaluation", limit)
    assert samples.metadata
    return samples.metadata


def as_lists(loaded: Metadata) -> dict[str, list[Any]]:
    return {name: [None if v != v else v for v in column.tolist()] for name, column in loaded.columns.items()}


def npz(folder: Path, **more: Any) -> None:
    np.savez(folder / "test.npz", x=np.zeros((4, 2), np.float32), labels=np.arange(4), **more)


def pictures(folder: Path) -> None:
    for i, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png")):
        (folder / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4 + i, 8)).save(folder / "set" / name)


def test_a_row_is_named_by_its_file_and_number_and_its_columns_go_with_it(tmp_path: Path) -> None:
    npz(tmp_path, camera=np.array(["a", "b", "", "nan"]), lux=np.array([3, 4, 5, 6]), day=np.array([True, False] * 2))
    loaded = metadata(tmp_path, PLAIN, 'path = "test.npz", slices = ["camera", "lux", "day"]')
    assert loaded.ids == ("test.npz[0]", "test.npz[1]", "test.npz[2]", "test.npz[3]")
    assert as_lists(loaded) == {
        "camera": ["a", "b", "", ""], "lux": [3, 4, 5, 6], "day": ["True", "False", "True", "False"],
    }  # fmt: skip
    few = metadata(tmp_path, PLAIN, 'path = "test.npz", slices = ["camera"]', limit=2)
    rows = [int(name[9:-1]) for name in few.ids]
    assert len(rows) == 2
    assert few.columns["camera"].tolist() == [["a", "b", "", ""][i] for i in rows]


def test_parquet_has_columns_of_numbers_texts_and_nulls(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {"x": [[0.0, 1.0]] * 3, "label": [0, 1, 0], "camera": ["a", None, "b"], "lux": [1.5, None, 2.0]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "test.parquet")
    loaded = metadata(tmp_path, PLAIN, 'path = "test.parquet", slices = ["camera", "lux"]')
    assert loaded.ids[2] == "test.parquet[2]"
    assert as_lists(loaded) == {"camera": ["a", "", "b"], "lux": [1.5, None, 2.0]}
    with pytest.raises(DataError, match=r"'test\.parquet' has no column 'camara', by which") as refused:
        metadata(tmp_path, PLAIN, 'path = "test.parquet", slices = ["camara"]')
    assert refused.value.hint == "did you mean 'camera'?"


@pytest.mark.parametrize("place", ["set/metadata.csv", "metadata.csv"])
def test_a_folder_has_a_table_in_it_or_beside_it_and_pictures_have_sizes(tmp_path: Path, place: str) -> None:
    pictures(tmp_path)
    (tmp_path / place).write_text("file_name,camera,lux\ndog/1.png,b,2.5\ncat/1.png,a,\nold/9.png,c,7\n")
    loaded = metadata(tmp_path, PICTURES, 'path = "set", slices = ["camera", "lux"]')
    assert loaded.ids == ("cat/1.png", "cat/2.png", "dog/1.png")
    assert as_lists(loaded) == {"camera": ["a", "", "b"], "lux": [None, None, 2.5]}
    assert loaded.sizes is not None
    assert loaded.sizes.tolist() == [32, 40, 48]


def test_lines_of_files_that_are_not_in_the_set_are_counted_and_told(tmp_path: Path) -> None:
    pictures(tmp_path)
    table = tmp_path / "metadata.csv"
    stated = project(tmp_path, PICTURES, 'path = "set", slices = ["camera"]')
    table.write_text("file_name,camera\ndog/1.png,b\ncat/1.png,a\n" + "".join(f"old/{i}.png,c\n" for i in range(4)))
    sampling = load_samples(stated, "evaluation").sampling
    assert sampling
    (told,) = sampling.left_out
    assert told.startswith("4 of 6 lines of 'metadata.csv' are of no file of the evaluation data of ")
    assert told.endswith(", and ignored: 'old/0.png', 'old/1.png', 'old/2.png', ….")
    table.write_text("file_name,camera\ndog/1.png,b\ncat/1.png,a\n")
    sound = load_samples(stated, "evaluation").sampling
    assert sound
    assert sound.left_out == ()


@pytest.mark.parametrize(
    ("table", "message", "hint"),
    [
        (None, "there is no 'metadata.csv' in 'set'", "file_name,light"),
        ("path,camera\n1,a\n", "'metadata.csv' has no column 'file_name'", "it has: path, camera"),
        ("file_name,camera\n1.png,a\n", "no line of 'metadata.csv' is of one of its 3 files", "'cat/1.png'"),
        ("file_name,camera\ncat/1.png,a\ncat/1.png,b\n", "two lines of 'cat/1.png'", "one line a file"),
        ("file_name,lens\ncat/1.png,a\n", "'metadata.csv' has no column 'camera'", "it has: lens"),
        (b"file_name,camera\ncat/1.png,\xff\n", "'metadata.csv' cannot be read", "UTF-8"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(tmp_path: Path, table: Any, message: str, hint: str) -> None:
    pictures(tmp_path)
    if table:
        (tmp_path / "metadata.csv").write_bytes(table if isinstance(table, bytes) else table.encode())
    with pytest.raises(DataError, match=message) as refused:
        metadata(tmp_path, PICTURES, 'path = "set", slices = ["camera"]')
    assert hint in str(refused.value.hint)


def test_columns_of_another_length_or_shape_and_missing_ones_are_refused(tmp_path: Path) -> None:
    npz(tmp_path, short=np.arange(3), flat=np.zeros((4, 2)))
    for name, message in (
        ("short", "'short' has 3 values for 4 samples"),
        ("flat", r"'flat' is no column: it has the shape \[4, 2\]"),
        ("light", "'test.npz' has no column 'light'"),
    ):
        with pytest.raises(DataError, match=message):
            metadata(tmp_path, PLAIN, f'path = "test.npz", slices = ["{name}"]')


def test_a_loader_lists_names_and_metadata_itself(tmp_path: Path) -> None:
    loaded = metadata(tmp_path, PLAIN, 'loader = "data.py:samples", slices = ["camera", "lux"]')
    assert loaded.ids == ("a", "b", "c")
    assert as_lists(loaded) == {"camera": ["x", "y", ""], "lux": [1, None, 3]}


def test_a_function_slices_by_the_samples_themselves(tmp_path: Path) -> None:
    loaded = metadata(tmp_path, PLAIN, 'loader = "data.py:samples", slices = "data.py:light"')
    assert as_lists(loaded) == {"light": [0, 1, 2], "label": ["False", "True", "False"]}
    for name, message in (
        ("short", "'data.py:short': 'light' has 1 values for 3 samples"),
        ("fails", "'data.py:fails' failed at data.py:13 in fails: KeyError"),
        ("nothing", "'data.py:nothing' gives NoneType, not columns by name"),
    ):
        with pytest.raises(DataError, match=message):
            metadata(tmp_path, PLAIN, f'loader = "data.py:samples", slices = "data.py:{name}"')


@pytest.mark.parametrize("slices", ["[]", '["a", "a"]', '"data.py"'])
def test_slices_that_name_nothing_are_refused(tmp_path: Path, slices: str) -> None:
    with pytest.raises(SpecError, match="evaluation"):
        project(tmp_path, PLAIN, f'path = "test.npz", slices = {slices}')


def test_slices_of_calibration_data_are_refused(tmp_path: Path) -> None:
    first = 'path = "a.npz", licence = "none", source = "made up" }'
    with pytest.raises(SpecError, match="'slices' of calibration data slice nothing"):
        project(tmp_path, PLAIN, first + '\ncalibration = { path = "a.npz", slices = ["a"]')


def test_values_that_are_none_are_no_value() -> None:
    assert typed_column("a", [1, None, np.inf], 3, "it").tolist()[0] == 1
    assert np.isnan(typed_column("a", [1, None, np.inf], 3, "it")[1:]).all()
    assert typed_column("a", ["x\x1b[2J", None, "NaN"], 3, "it").tolist() == ["x [2J", "", ""]
    assert typed_column("a", [True, None], 2, "it").tolist() == ["True", ""]
    with pytest.raises(DataError, match="'a' holds a dict"):
        typed_column("a", [{}, None], 2, "it")


def test_metadata_are_saved_and_chosen_with_the_samples_and_are_in_no_digest(tmp_path: Path) -> None:
    columns = {"light": np.array([0.5, np.nan, 2.0]), "camera": np.array(["a", "", "ü"])}
    samples = Samples({"x": np.zeros((3, 1), np.float32)}, np.arange(3))
    named = Samples(samples.inputs, samples.labels, metadata=Metadata(("a/1", "a/\udc80", "b"), columns))
    assert named.digest == samples.digest
    named.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["labels.npy", FILE, "x.npy"]
    read = Samples.read(tmp_path).take([2, 1]).metadata
    assert read
    assert read.ids == ("b", "a/\udc80")
    assert as_lists(read) == {"light": [2.0, None], "camera": ["ü", ""]}
