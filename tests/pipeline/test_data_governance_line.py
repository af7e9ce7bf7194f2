"""Data governance in a build: overlaps with calibration and training, the policy, and the card of the bundle."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.pipeline.stages.data_card import read_card
from tests.command_line import LENIENT, PLAIN
from tests.conftest import Command
from tests.networks import TOML, substitute, write_project

GATES = "[gates]\ncalibration_overlap = { max = 1 }\n"
POLICY = '[policy]\nlicences = ["made here"]\n'
ROLES = ("calibration", "evaluation")
TRAINING = 'training = { path = "data.npz", licence = "GPL-3.0", source = "random numbers" }\n'


@pytest.mark.builds
def test_a_build_on_leaked_data_of_another_licence_fails_and_its_bundle_says_so(
    command: Command, tmp_path: Path
) -> None:
    toml = substitute(GATES, POLICY, TOML) + TRAINING
    project = write_project(tmp_path / "net", toml=toml)
    asked = ("--set", "profile.gates.training_overlap.max=0", "--set", "profile.gates.licences.max=0")
    argv = ("--target", "host", "--backend", "onnx", *LENIENT, *PLAIN, *asked)
    ended = command("build", "--project", project, *argv, "--out", tmp_path / "out", "--json")
    assert ended.code == 1, ended.err
    report = ended.document["reports"][0]
    outcomes = {gate["name"]: gate for gate in report["gates"]}
    for name in ("calibration_overlap", "training_overlap"):
        assert outcomes[name]["outcome"] == "failed"
        assert outcomes[name]["value"] == 1
        assert "16 of 16 samples, 16 exact" in outcomes[name]["meaning"]
        assert name in report["sentence"]
    assert outcomes["licences"]["outcome"] == "failed"
    assert "training: its licence, 'GPL-3.0', is not among" in outcomes["licences"]["meaning"]
    bundle = Bundle.open(next((tmp_path / "out").glob("*.edgekit")), KeyStore.of_user().trusted())
    card = read_card(bundle)
    assert card
    calibration, evaluation = (next(each for each in card.sets if each.role == role) for role in ROLES)
    assert (calibration.samples, calibration.licence) == (16, "made here")
    assert calibration.sha256
    assert (evaluation.samples, evaluation.sha256) == (None, None)
    assert card.allowed == ("made here",)
    text = card.to_json().decode()
    assert str(tmp_path) not in text
    assert "data.npz" not in text
