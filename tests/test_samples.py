"""Which samples of a set are taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edgekit.datasets import pictures
from edgekit.datasets.pictures import Picture, read_picture
from edgekit.samples import READ_THROUGH, Sampling, load_samples
from edgekit.specs.project import Project
from edgekit.stratification import spread, stratified

LOADER = """
import numpy as np

READ = []

class Set:
    def __init__(self, labels):
        self._labels = labels

    def __len__(self):
        return len(self._labels)

    def __getitem__(self, i):
        READ.append(i)
        return np.array([i], np.float32), self._labels[i]

def plain():
    return Set(PLAIN)

def listed():
    found = Set(PLAIN)
    found.targets = PLAIN
    return found

def real():
    return Set([label / 7 for label in PLAIN])
"""


def _project(folder: Path, data: str, labels: Any = (), inputs: str = "[inputs.x]\nshape = [1]") -> Project:
    folder.mkdir(exist_ok=True)
    (folder / "data.py").write_text(LOADER + f"PLAIN = {list(labels)}\n")
    stated = f'[data]\nevaluation = {{ {data}, licence = "none", source = "made up" }}\n'
    (folder / "edgekit.toml").write_text(f'[model]\nfactory = "model.py:make"\n{inputs}\n{stated}')
    return Project.read(folder)


LABELS = [0] * 700 + [1] * 250 + [2] * 50


@given(
    classes=st.lists(st.integers(0, 6), min_size=1, max_size=300).map(np.array),
    share=st.floats(0, 1),
)
def test_a_stratified_sample_has_of_every_class_its_share(classes: Any, share: float) -> None:
    count = int(share * len(classes))
    chosen = stratified(classes, count)
    assert len(chosen) == count
    assert chosen == sorted(set(chosen))
    for label in np.unique(classes):
        exact = count * (classes == label).mean()
        assert abs((classes[chosen] == label).sum() - exact) < 1
    assert chosen == stratified(classes, count)


def test_no_sample_is_chosen_twice_from_any_set() -> None:
    for total in range(1, 80):
        for count in range(total + 1):
            chosen = spread(total, count)
            assert len(chosen) == count
            assert chosen == sorted(set(chosen)), (total, count)
            assert all(0 <= i < total for i in chosen)


@pytest.mark.parametrize("loader", ["plain", "listed"])
def test_a_sorted_set_keeps_its_proportions(tmp_path: Path, loader: str) -> None:
    project = _project(tmp_path / loader, f'loader = "data.py:{loader}"', LABELS)
    samples = load_samples(project, "evaluation", 100)
    assert np.bincount(samples.labels).tolist() == [70, 25, 5]
    assert samples.sampling == Sampling(taken=100, total=1000, stratified=True)
    assert np.all(np.diff(samples.inputs["x"][:, 0]) > 0)


@pytest.mark.parametrize("limit", [None, 1000, 5000])
def test_a_limit_that_the_set_does_not_reach_takes_all_of_it(tmp_path: Path, limit: int | None) -> None:
    samples = load_samples(_project(tmp_path / "all", 'loader = "data.py:plain"', LABELS), "evaluation", limit)
    assert (len(samples), samples.sampling) == (1000, Sampling(1000, 1000, stratified=False))


@pytest.mark.parametrize(
    ("loader", "labels", "limit"),
    [("real", LABELS, 100), ("plain", list(range(1000)), 100), ("plain", LABELS, 8)],
    ids=["labels that are no classes", "more classes than samples", "a few samples"],
)
def test_what_cannot_be_stratified_is_spread_over_the_set(
    tmp_path: Path, loader: str, labels: list[int], limit: int
) -> None:
    project = _project(tmp_path / "set", f'loader = "data.py:{loader}"', labels)
    if loader == "real":
        project = project.model_copy(update={"model": project.model.model_copy(update={"task": "regression"})})
    samples = load_samples(project, "evaluation", limit)
    assert samples.sampling == Sampling(limit, 1000, stratified=False)
    assert np.all(np.diff(samples.inputs["x"][:, 0]) > 0)


@pytest.mark.parametrize(
    ("identities", "limit", "pairs", "alone"),
    [
        ([i % 300 for i in range(900)], 100, 50, 0),
        ([i % 300 for i in range(600)] + list(range(300, 400)), 650, 300, 50),
    ],
    ids=["more identities than samples", "identities of one sample"],
)
def test_identities_that_outnumber_the_samples_keep_two_to_be_found_by(
    tmp_path: Path, identities: list[int], limit: int, pairs: int, alone: int
) -> None:
    project = _project(tmp_path / "set", 'loader = "data.py:plain"', identities)
    project = project.model_copy(update={"model": project.model.model_copy(update={"task": "embedding"})})
    samples = load_samples(project, "evaluation", limit)
    sizes = np.unique(samples.labels, return_counts=True)[1]
    assert ((sizes == 2).sum(), (sizes == 1).sum(), len(samples)) == (pairs, alone, limit)
    assert np.all(np.diff(samples.inputs["x"][:, 0]) > 0)


def test_a_large_set_is_not_read_through_for_its_labels(tmp_path: Path) -> None:
    labels = [0, 1] * (READ_THROUGH // 2 + 1)
    samples = load_samples(_project(tmp_path / "large", 'loader = "data.py:plain"', labels), "evaluation", 100)
    assert samples.sampling == Sampling(100, len(labels), stratified=False)
    samples = load_samples(_project(tmp_path / "listed", 'loader = "data.py:listed"', labels), "evaluation", 100)
    assert samples.sampling == Sampling(100, len(labels), stratified=True)


def test_of_a_folder_of_images_only_those_taken_are_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for label, count in (("cat", 60), ("dog", 20)):
        (tmp_path / "set" / label).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(np.full((2, 2, 3), i, np.uint8)).save(tmp_path / "set" / label / f"{i:02}.png")
    inputs = '[inputs.x]\nshape = [3, 2, 2]\npreprocess = { from = "uint8 NHWC" }'
    project = _project(tmp_path, 'path = "set"', inputs=inputs)
    decoded: list[tuple[Any, ...]] = []

    def counted(*args: Any) -> Picture:
        decoded.append(args)
        return read_picture(*args)

    monkeypatch.setattr(pictures, "read_picture", counted)
    samples = load_samples(project, "evaluation", 40)
    assert np.bincount(samples.labels).tolist() == [30, 10]
    assert len(decoded) == 40


def test_the_columns_of_a_file_are_stratified_too(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=np.arange(1000, dtype=np.float32)[:, None], labels=np.array(LABELS))
    samples = load_samples(_project(tmp_path, 'path = "set.npz"'), "evaluation", 40)
    assert np.bincount(samples.labels).tolist() == [28, 10, 2]


@pytest.mark.parametrize("limit", [None, 40])
def test_classes_that_the_evaluation_set_has_no_sample_of_are_told(tmp_path: Path, limit: int | None) -> None:
    np.savez(tmp_path / "set.npz", x=np.zeros((60, 1), np.float32), labels=np.arange(60) % 2 * 2)
    project = _project(tmp_path, 'path = "set.npz"')
    stated = project.model_copy(update={"model": project.model.model_copy(update={"classes": ("a", "b", "c")})})
    sampling = load_samples(stated, "evaluation", limit).sampling
    assert sampling
    assert sampling.left_out == (f"1 of 3 classes has no sample in the evaluation data of '{project.name}': 'b'.",)
    assert load_samples(project, "evaluation", limit).sampling.left_out == ()  # type: ignore[union-attr]
