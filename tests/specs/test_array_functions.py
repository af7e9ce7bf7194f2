"""Functions of a project are read as text: whole with their constants, or refused by file, line and construct."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import DataError, FunctionRefused, SampleUnfit, SpecError
from edgekit.runner.processing.array_function import parse_function
from edgekit.samples import RAW_FOLDER, Samples, load_samples
from edgekit.specs.array_functions import read_function
from edgekit.specs.project import Project

MODULE = '''
"""Preparation."""
import torch_that_is_not_there
import numpy

SCALE = 1 / 128
MEAN = numpy.array([0.5, 0.25], numpy.float32) * SCALE
UNUSED = open("nowhere")


def prepare(wave: numpy.ndarray) -> numpy.ndarray:
    """Scale."""
    return (wave[:3, None] * SCALE - MEAN).astype(numpy.float32)


def load(wave):
    return numpy.load(wave)


def wide(wave):
    return wave[:3, None] * SCALE - MEAN
'''
TOML = """
[model]
factory = "model.py:make"
task = "regression"

[inputs.wave]
shape = {shape}
preprocess = "{function}"

[data]
evaluation = {{ path = "data.npz", licence = "none", source = "made up" }}
"""
WAVES = np.random.default_rng(0).integers(-128, 128, (9, 5)).astype(np.int16)


def project(folder: Path, function: str = "prepare.py:prepare", shape: str = "[3, 2]") -> Project:
    (folder / "prepare.py").write_text(MODULE)
    (folder / "edgekit.toml").write_text(TOML.format(function=function, shape=shape))
    np.savez(folder / "data.npz", wave=WAVES, labels=np.zeros(len(WAVES)))
    return Project.read(folder)


def test_a_function_is_carried_with_the_constants_that_it_reads(tmp_path: Path) -> None:
    project(tmp_path)
    source = read_function("prepare.py:prepare", tmp_path)
    assert source.splitlines() == [
        "def prepare(wave):",
        "    SCALE = 1 / 128",
        "    MEAN = np.array([0.5, 0.25], np.float32) * SCALE",
        "    return (wave[:3, None] * SCALE - MEAN).astype(np.float32)",
    ]
    wave = WAVES[0]
    wanted = (wave[:3, None] / 128 - np.array([0.5, 0.25], np.float32) / 128).astype(np.float32)
    np.testing.assert_array_equal(parse_function(source)(wave), wanted)


def test_samples_are_made_by_the_function_and_some_raw_ones_are_kept(tmp_path: Path) -> None:
    samples = load_samples(project(tmp_path), "evaluation")
    function = parse_function(read_function("prepare.py:prepare", tmp_path))
    np.testing.assert_array_equal(samples.inputs["wave"], np.stack([function(wave) for wave in WAVES]))
    assert sorted(samples.raw["wave"]) == [0, 1]
    (tmp_path / "saved").mkdir()
    samples.save(tmp_path / "saved")
    np.testing.assert_array_equal(np.load(tmp_path / "saved" / RAW_FOLDER / "wave.1.npy"), WAVES[1])
    assert Samples.read(tmp_path / "saved").digest == samples.digest


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        ("prepare.py:load", FunctionRefused, r"'load' cannot go to a device, 'prepare\.py:17': the call of 'np.load'"),
        ("prepare.py:prepear", SpecError, "'prepare.py' defines no function 'prepear'"),
        ("other.py:prepare", SpecError, "there is no 'other.py'"),
        ("prepare", SpecError, r"'inputs\.wave': 'preprocess' is a table, or a function 'file\.py:name'"),
    ],
)
def test_a_function_that_cannot_ship_is_refused_as_the_project_is_read(
    tmp_path: Path, function: str, error: type[SpecError], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        project(tmp_path, function)
    if error is FunctionRefused:
        assert caught.value.code == "EK122"
        assert caught.value.hint
        assert "network's forward" in caught.value.hint


def test_results_of_another_dtype_or_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="gives float64, the project states float32") as caught:
        load_samples(project(tmp_path, "prepare.py:wide"), "evaluation")
    assert caught.value.hint == "end it by .astype(np.float32)"
    with pytest.raises(DataError, match=r"sample 0: 'wave' has shape \[3, 2\], the project states \[4, 2\]"):
        load_samples(project(tmp_path, shape="[4, 2]"), "evaluation")


def test_a_sample_that_the_function_cannot_take_is_named(tmp_path: Path) -> None:
    stated = project(tmp_path)
    np.savez(tmp_path / "data.npz", wave=np.array([3, 4], np.int16), labels=np.zeros(2))
    with pytest.raises(SampleUnfit, match=r"sample 0: 'wave': 'prepare\.py:prepare' fails: line 4: "):
        load_samples(stated, "evaluation")


def test_a_file_that_is_no_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "prepare.py").write_text("def prepare(x:\n")
    with pytest.raises(SpecError, match=r"'prepare\.py:1' is no Python"):
        read_function("prepare.py:prepare", tmp_path)
