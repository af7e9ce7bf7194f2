"""Sequences as samples: their lengths, their labels, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import DataError, SequenceError
from edgekit.ir.measurement import Array
from edgekit.samples import Samples, load_samples
from edgekit.specs.project import Project
from tests.stateful_projects import ACCUMULATOR_TOML, write_accumulator

LOADER = """
import numpy as np
{code}
class Rows:
    def __len__(self):
        return len(ROWS)
    def __getitem__(self, i):
        return ROWS[i]
"""


def _load(folder: Path, rows: str, toml: str = ACCUMULATOR_TOML) -> Samples:
    """Samples of a loader with these rows: (array, label)."""
    source = toml.replace('path = "data.npz"', 'loader = "data.py:Rows"')
    project = write_accumulator(folder, source)
    (project / "data.py").write_text(LOADER.format(code=f"ROWS = {rows}"))
    return load_samples(Project.read(project), "evaluation")


def _frames(steps: int) -> str:
    return f"np.full(({steps}, 3), {steps}, 'float32')"


def test_shorter_sequences_are_filled_with_their_last_step(tmp_path: Path) -> None:
    samples = _load(tmp_path, f"[({_frames(2)}, [1.0, 2.0]), ({_frames(4)}, [3.0, 4.0, 5.0, 6.0])]")
    assert samples.length is not None
    assert samples.length.tolist() == [2, 4]
    assert (samples.steps, samples.inferences) == (4, 8)
    assert samples.inputs["x"].shape == (2, 4, 3)
    assert samples.labels.reshape(2, 4).tolist() == [[1.0, 2.0, 2.0, 2.0], [3.0, 4.0, 5.0, 6.0]]


def test_one_label_may_stand_for_the_sequence(tmp_path: Path) -> None:
    samples = _load(tmp_path, f"[({_frames(2)}, 1.0), ({_frames(4)}, 3.0)]")
    assert samples.labels.ravel().tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (f"[({_frames(0)}, 1.0)]", "has no steps"),
        ("[(np.float32(1), 1.0)]", "has shape [], the project states [steps, 3]"),
        ("[(np.zeros((2, 4), 'float32'), 1.0)]", "has shape [2, 4], the project states [steps, 3]"),
        (f"[({_frames(2)}, [1.0, 2.0, 3.0])]", "its label has 3 entries for 2 steps"),
        (f"[({_frames(2)}, [1.0, 2.0]), ({_frames(2)}, 1.0)]", "sample 1 has one label for the sequence"),
        ("[(np.full((2, 3), np.nan, 'float32'), 1.0)]", "holds NaN"),
        ("[({'x': np.zeros((2, 3), 'float32'), 'total': np.zeros((2, 3))}, 1.0)]", "has inputs ['total', 'x']"),
    ],
)
def test_what_is_no_sequence_is_refused_by_its_place(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(DataError) as caught:
        _load(tmp_path, rows)
    assert said in str(caught.value)
    assert "sample" in str(caught.value)
    assert caught.value.hint


def test_arrays_of_one_sample_have_as_many_steps(tmp_path: Path) -> None:
    toml = ACCUMULATOR_TOML.replace("[state]", "[inputs.y]\nshape = [1]\n[state]")
    with pytest.raises(SequenceError, match="different numbers of steps: 'x' 2, 'y' 3"):
        _load(tmp_path, f"[({{'x': {_frames(2)}, 'y': np.zeros((3, 1), 'float32')}}, 1.0)]", toml)


def _write_npz(folder: Path, **arrays: Array) -> Project:
    project = write_accumulator(folder)
    np.savez(project / "data.npz", **arrays)  # type: ignore[arg-type]
    return Project.read(project)


def test_padded_arrays_are_cut_to_their_lengths(tmp_path: Path) -> None:
    x, labels = np.ones((2, 5, 3), np.float32), np.ones((2, 5))
    samples = load_samples(_write_npz(tmp_path, x=x, labels=labels, length=np.array([3, 1])), "evaluation")
    assert samples.length is not None
    assert samples.length.tolist() == [3, 1]
    assert samples.steps == 3


@pytest.mark.parametrize("length", [[0, 5], [1, 6], [1], [1.5, 2.5]])
def test_lengths_that_cannot_be_are_refused(tmp_path: Path, length: list[float]) -> None:
    x, labels = np.ones((2, 5, 3), np.float32), np.ones((2, 5))
    with pytest.raises(SequenceError, match="length"):
        load_samples(_write_npz(tmp_path, x=x, labels=labels, length=np.array(length)), "evaluation")


def test_a_folder_of_pictures_is_no_sequence(tmp_path: Path) -> None:
    project = write_accumulator(tmp_path, ACCUMULATOR_TOML.replace("data.npz", "pictures"))
    (project / "pictures").mkdir()
    with pytest.raises(SequenceError, match="folder of pictures"):
        load_samples(Project.read(project), "evaluation")


def test_sequences_are_read_back_as_they_were_saved(tmp_path: Path) -> None:
    toml = ACCUMULATOR_TOML.replace("shape = [1, 3]", 'shape = [1, 3], initial = "h.npy"')
    project = write_accumulator(tmp_path / "project", toml)
    np.save(project / "h.npy", np.full((1, 3), 0.5, np.float32))
    samples = load_samples(Project.read(project), "evaluation", steps=2)
    (tmp_path / "saved").mkdir()
    samples.save(tmp_path / "saved")
    read = Samples.read(tmp_path / "saved")
    assert read.digest == samples.digest
    assert read.initial["total"].tolist() == [[0.5, 0.5, 0.5]]
    assert read.steps == 2
    assert read.take([1, 0]).digest != samples.digest


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.zeros((1, 4), np.float32), r"is float32\[1, 4\]"),
        (np.zeros((1, 3)), r"is float64\[1, 3\]"),
        (np.full((1, 3), np.inf, np.float32), "holds NaN or infinite"),
        (None, "is missing"),
    ],
)
def test_an_initial_state_that_does_not_fit_is_refused(tmp_path: Path, array: Array | None, said: str) -> None:
    toml = ACCUMULATOR_TOML.replace("shape = [1, 3]", 'shape = [1, 3], initial = "h.npy"')
    project = write_accumulator(tmp_path, toml)
    if array is not None:
        np.save(project / "h.npy", array)
    with pytest.raises(DataError, match=said) as caught:
        load_samples(Project.read(project), "evaluation")
    assert "initial is 'zeros', or a .npy file of float32[1, 3]" in str(caught.value.hint)
