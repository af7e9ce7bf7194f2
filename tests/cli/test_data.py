"""What a build makes of the data that a user brings, from the files to the verdict."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.datasets.pictures import ORIENTATION
from tests.conftest import Command
from tests.networks import COLOURS, MODEL, TOML, substitute, write_project

LABELS = np.arange(64) % 4
QUICK = ("--target", "host", "--backend", "onnx", "--profile", "float32")
NAMES = ("apple", "grass", "ink", "lemon")
FOLDER = substitute('classes = ["a", "b", "c", "d"]\n', "", substitute("data.npz", "pictures", TOML))


def pictures(folder: Path, count: int = 10) -> Path:
    """Class folders of noisy pictures; the first apple carries an orientation, and the last lemon cannot be read."""
    random = np.random.default_rng(0)
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    for name, colour in zip(NAMES, COLOURS, strict=True):
        (folder / name).mkdir(parents=True)
        for i in range(count):
            noise = random.integers(-16, 17, (8, 8, 3))
            image = Image.fromarray((np.array(colour) + noise).astype(np.uint8))
            image.save(folder / name / f"{i}.png", exif=exif if (name, i) == ("apple", 0) else Image.Exif())
    (folder / "lemon" / f"{count - 1}.png").rename(folder / "lemon" / f"{count - 1}.heic")
    return folder


@pytest.mark.builds
def test_a_build_from_class_folders_says_what_it_did_to_pictures_and_what_it_left_out(
    command: Command, tmp_path: Path
) -> None:
    project = write_project(tmp_path / "net", toml=FOLDER)
    pictures(project / "pictures")
    ended = command("build", "--project", project, *QUICK, "--out", tmp_path / "out", "--json")
    assert ended.code == 0, ended.err
    report = ended.document["reports"][0]
    assert report["verdict"] == "passed"
    assert report["reference"]["metric"]["value"] == 1.0
    assert report["sampling"]["taken"] == 39
    assert report["sampling"]["changes"] == ["1 of 39 pictures: the orientation in the file was applied"]
    (warning,) = report["warnings"]
    assert warning == report["sampling"]["left_out"][0]
    assert "1 .heic in 'lemon'" in warning
    bundle = Bundle.open(next((tmp_path / "out").glob("*.edgekit")), KeyStore.of_user().trusted())
    assert bundle.manifest.classes == NAMES


@pytest.mark.builds
def test_a_network_whose_weights_were_never_loaded_does_not_pass(command: Command, tmp_path: Path) -> None:
    untrained = substitute("found.head.weight.copy_", "str", MODEL)
    project = write_project(tmp_path / "net", model=untrained, samples=64)
    noise = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 3), np.uint8)
    np.savez(project / "data.npz", image=noise, labels=LABELS)
    ended = command("build", "--project", project, *QUICK, "--out", tmp_path / "out", "--json")
    assert ended.code == 1, ended.err
    report = ended.document["reports"][0]
    outcomes = {gate["name"]: gate["outcome"] for gate in report["gates"]}
    assert (report["verdict"], outcomes["accuracy_drop"]) == ("failed", "passed")
    assert outcomes["reference_accuracy"] == "failed"
    assert "THE FLOAT MODEL IS NO BETTER THAN CHANCE: one answer to all samples reaches 25 %" in report["sentence"]
    assert "every gate passed" not in report["sentence"]


TRAINING = 'training = { path = "data.npz", licence = "made here", source = "random numbers" }\n'
BAD_LABELS = {
    "in a column": (LABELS[:, None], "labels are int64 [64, 1]", "hint: labels.reshape(-1)"),
    "one-hot": (np.eye(4, dtype=np.int64)[LABELS], "labels are int64 [64, 4]", "labels.argmax(axis=1)"),
    "in fractions": (LABELS / 4, "labels are float64 [64]", "labels.astype('int64')"),
    "beyond the network": (LABELS + 1, "label 4 of sample 3 is outside 0 to 3", "'output' has 4 classes"),
}


@pytest.mark.parametrize("role", ["evaluation", "training"])
@pytest.mark.parametrize("kind", BAD_LABELS)
def test_labels_that_cannot_be_scored_are_refused_before_anything_slow(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, role: str
) -> None:
    labels, words, hint = BAD_LABELS[kind]
    good = substitute('classes = ["a", "b", "c", "d"]\n', "", TOML) + TRAINING
    toml = substitute(f'{role} = {{ path = "data.npz"', f'{role} = {{ path = "bad.npz"', good)
    project = write_project(tmp_path / "net", toml=toml, samples=64)
    image = np.load(project / "data.npz")["image"]
    np.savez(project / "bad.npz", image=image, labels=labels)
    for slow in ("edgekit.frontend.capture.capture", "edgekit.pipeline.stages.stage.Stage.run"):
        monkeypatch.setattr(slow, lambda *_: pytest.fail("it went on"))
    argv = ("--target", "raspberry-pi-5", "--backend", "onnx", "--profile", "int8-pruned", "--out", tmp_path / "out")
    said = command("build", "--project", project, *argv).refused("EK105", 2)
    assert f"the {role} data of 'net': {words}" in said
    assert hint in said


def test_labels_are_refused_before_several_targets_are_compiled_ahead(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead: list[object] = []
    monkeypatch.setattr("edgekit.api.build_session.compile_in_process", lambda request, cache: ahead.append(request))
    project = write_project(tmp_path / "net", samples=64)
    image = np.load(project / "data.npz")["image"]
    np.savez(project / "data.npz", image=image, labels=np.eye(4, dtype=np.int64)[LABELS])
    argv = ("--target", "all", "--backend", "onnx", "--profile", "raspberry-pi-int8", "--jobs", 2)
    said = command("build", "--project", project, *argv, "--out", tmp_path / "out").refused("EK105", 2)
    assert "labels are int64 [64, 4]" in said
    assert ahead == []
    assert not (tmp_path / "out").exists()
