"""`diagnose`: what a user reads of a network that int8 breaks, and of one that it does not."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

from edgekit.specs.profile import Profile
from edgekit.specs.spec import parse
from tests.conftest import Built, Command
from tests.faulty_projects import NOT_FINITE, RESCALED, SOUND, SPIKED, ailing
from tests.networks import MODEL, substitute, write_project

HOST = ("--target", "host", "--backend", "onnx")
COARSE = ("--set", "profile.quantize.weights.granularity=per-tensor")


def document(ended: Any) -> Any:
    assert ended.code == 0, ended.err
    return ended.document


def test_a_sound_network_is_told_so_with_every_layer_below(command: Command, tmp_path: Path) -> None:
    picture = tmp_path / "layers.svg"
    ended = command("diagnose", "--example", "digits", *HOST, "--plot", picture)
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0].startswith("Nothing is wrong: int8 agrees with the float model to 100.0% on 256 samples")
    assert lines[1].startswith("  weakest is 'block.conv2': alone 37.9 dB")
    layers = [line.split()[0] for line in lines[4:]]
    assert layers == ["image", "conv1", "conv2", "block.conv1", "block.conv2", "block:add_1", "the", "linear"]
    assert "████" in lines[4]
    assert picture.read_text().startswith("<svg")
    assert picture.read_text().count("<text") == 2 + 2 * 8


def test_channels_out_of_scale_are_found_and_equalization_is_proposed(command: Command, tmp_path: Path) -> None:
    project = ailing(tmp_path / "rescaled", RESCALED)
    found = document(command("diagnose", "--project", project, *HOST, *COARSE, "--json"))
    assert found["cause"] == "channel ranges"
    assert found["blamed"] == ["conv1", "conv2", "block.conv1", "block.conv2"]
    assert found["agreement"] < 0.5
    assert "It falls first at 'conv2' (conv)" in found["sentence"]
    assert "one scale for the tensor" in found["sentence"]
    assert found["next"] == "--set profile.quantize.equalize=true"
    assert len(found["layers"]) == 8


def test_the_layer_with_an_outlier_is_found_and_the_search_leaves_it_in_float(command: Command, tmp_path: Path) -> None:
    project, written = ailing(tmp_path / "spiked", SPIKED), tmp_path / "mixed.toml"
    found = document(command("diagnose", "--project", project, *HOST, "--json", "--write", written))
    assert found["cause"] == "activation outlier"
    assert found["blamed"] == ["the network:add_1", "model.conv2"]
    assert found["next"] == "--set profile.quantize.activations.observer=auto"
    assert found["overrides"] == {"model.conv2": "float32"}
    assert [trial["met"] for trial in found["tried"]].count(True) >= 1
    values = tomllib.loads(written.read_text())
    assert values["quantize"]["overrides"] == {"model.conv2": "float32"}
    profile = parse(Profile, values, "mixed.toml", derived={"id": "mixed"})
    assert profile.quantize
    assert profile.quantize.kept == ("model.conv2",)


def test_calibration_data_of_another_range_are_found(command: Command, tmp_path: Path) -> None:
    project = ailing(tmp_path / "dark", SOUND, calibration="dark")
    ended = command("diagnose", "--project", project, *HOST)
    assert "The calibration data do not fit: at 'image' 39.7% of the values of the evaluation data" in ended.out
    assert "next: --set project.data.calibration.loader=data.py:training" in ended.out


def test_what_is_proposed_cures_it(command: Command, tmp_path: Path) -> None:
    project = ailing(tmp_path / "dark", SOUND, calibration="dark")
    step = ("--set", "project.data.calibration.loader=data.py:training")
    assert document(command("diagnose", "--project", project, *HOST, *step, "--json"))["cause"] == "nothing"


def test_a_build_is_diagnosed_by_what_it_was_built_with(
    command: Command, built: Built, small: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(built.out, out)
    found = document(command("diagnose", out, "--project", small, "--json"))
    assert (found["target"], found["backend"], found["profile"]) == ("host", "onnx", "host-int8")
    assert not any("changed since" in warning for warning in found["warnings"])
    kept = json.loads((built.out / "profile.json").read_text())
    assert kept["gates"]["size_ratio"] == {"max": 2}
    assert str(small) not in (built.out / "profile.json").read_text()
    layers = json.loads((out / "layers.json").read_text())
    assert layers["bundle"] == json.loads((out / "report.json").read_text())["bundle"]["digest"]
    assert [layer["node"] for layer in layers["layers"]] == [layer["node"] for layer in found["layers"]]


def test_a_model_that_changed_since_is_told(command: Command, built: Built, tmp_path: Path) -> None:
    other = write_project(tmp_path / "small", substitute("4 * torch.eye(4)", "-4 * torch.eye(4)", MODEL), samples=64)
    ended = command("diagnose", built.bundle, "--project", other)
    assert ended.code == 0
    assert "warning: the project's model has changed since" in ended.err


def test_a_project_of_other_inputs_is_refused(command: Command, built: Built) -> None:
    said = command("diagnose", built.bundle, "--example", "digits").refused("EK105", 2)
    assert "takes image: uint8[1, 8, 8, 1]" in said


def test_values_that_are_not_finite_are_laid_at_their_layer(command: Command, tmp_path: Path) -> None:
    project = ailing(tmp_path / "nan", NOT_FINITE)
    said = command("diagnose", "--project", project, *HOST).refused("EK204", 3)
    assert "'block.conv1' (conv) gives values that are not finite on calibration sample 0" in said


def test_a_folder_without_a_bundle_is_refused(command: Command, tmp_path: Path) -> None:
    said = command("diagnose", tmp_path, "--example", "digits").refused("EK105", 2)
    assert "there is no bundle in" in said


def test_a_folder_of_folders_names_one(command: Command, built: Built, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    shutil.copy(built.bundle, tmp_path / "one")
    assert f"edgekit diagnose '{tmp_path / 'one'}'" in command("diagnose", tmp_path).refused("EK105", 2)


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ((), "EK104", "one target is diagnosed at a time"),
        (("--target", "all"), "EK104", "one target is diagnosed at a time"),
        (("--target", "hots"), "EK102", "did you mean 'host'?"),
        (("--target", "host", "--backend", "onxx"), "EK102", "onnx"),
        (("--target", "host", "--profile", "float32"), "EK103", "only static quantization has ranges"),
        (("--target", "host", "--plot", "layers.png"), "EK104", "'layers.png' has no known ending"),
        (("--target", "host", "--write", "mixed.json"), "EK104", "'mixed.json' is no profile"),
    ],
)
def test_what_cannot_be_meant_is_refused(command: Command, options: tuple[str, ...], code: str, said: str) -> None:
    assert said in command("diagnose", "--example", "digits", *options).refused(code, 2)


def test_a_bundle_says_its_own_target(command: Command, built: Built) -> None:
    command("diagnose", built.bundle, "--target", "host").refused("EK104", 2)
