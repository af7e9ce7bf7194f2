"""What users bring as data, from the small inputs that once failed: whole builds, through the quickest backend."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import edgekit
from tests.conftest import Command

SHARED = Path(edgekit.__file__).parents[2] / "shared" / "faults"

pytestmark = [pytest.mark.skipif(not SHARED.is_dir(), reason=f"no faults in {SHARED.parent}"), pytest.mark.builds]


def fault(name: str, folder: Path) -> Path:
    """A project of the faults, copied with the network and data that they have in common."""
    for part in ("common", name):
        shutil.copytree(SHARED / part, folder / part)
    return folder / name


def build(project: Path, out: Path) -> tuple[object, ...]:
    quick = ("--target", "raspberry-pi-5", "--backend", "onnx", "--profile", "float32")
    return ("build", "--project", project, *quick, "--out", out, "--json")


@pytest.mark.parametrize("name", ["folder_names_order", "folder_hidden"])
def test_class_folders_go_by_their_names(command: Command, tmp_path: Path, name: str) -> None:
    project = fault(name, tmp_path)
    ended = command(*build(project, tmp_path / "out"))
    assert ended.code == 0, ended.err
    report = ended.document["reports"][0]
    assert report["reference"]["metric"]["value"] >= 0.98
    assert report["candidate"]["metric"]["value"] >= 0.98
    assert report["gates"][0]["outcome"] == "passed"


def test_labels_in_a_column_are_refused_before_anything_slow(command: Command, tmp_path: Path) -> None:
    project = fault("labels_column", tmp_path)
    refusal = command(*build(project, tmp_path / "out"), "--no-cache").refused("EK105", 2)
    assert "labels are int64 [400, 1], classification needs one integer a sample" in refusal
    assert "hint: labels.reshape(-1)" in refusal
    assert not (tmp_path / "out").exists()
