"""A plan tells the stages that a build then records, and which of them are reused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import LENIENT
from tests.conftest import Command
from tests.networks import TOML, substitute, write_project

TRAINED = TOML + 'training = { path = "data.npz", licence = "made here", source = "random numbers" }\n'
PROFILES = ("float32", "host-int8", "dynamic-int8", "int8-pruned")
PRUNED = ("prune.macs=0.9", "prune.round_to=1", "recover.epochs=1", "gates.accuracy_drop.max=1")


@pytest.mark.builds
@pytest.mark.parametrize("profile", PROFILES)
def test_a_plan_has_the_stages_of_the_build(command: Command, tmp_path: Path, profile: str) -> None:
    # A network and samples of its own: in a cache of its own, a converter would be imported anew for each.
    number = PROFILES.index(profile)
    model = substitute("manual_seed(0)", f"manual_seed({100 + number})")
    project = write_project(tmp_path / "project", model, TRAINED, samples=72 + 4 * number)
    changes = [word for field in (PRUNED if profile == "int8-pruned" else ()) for word in ("--set", f"profile.{field}")]
    options = ("--project", project, "--target", "host", "--backend", "onnx", "--profile", profile, *LENIENT, *changes)
    for moment in ("nothing is there", "all is there"):
        (plan,) = command("plan", *options, "--json").document["plans"]
        built = command("build", *options, "--out", tmp_path / "out", "--json")
        assert built.code in (0, 1), built.err
        (report,) = built.document["reports"]
        states = {stage["name"]: "cached" if stage["cached"] else "to do" for stage in report["stages"]}
        assert plan["stages"] == states
        assert ("cached" in states.values()) == (moment == "all is there")
        assert list(plan["gates"]) == [gate["name"] for gate in report["gates"]]
        assert plan["gates"]["reference_accuracy"] == {"min": "chance", "confidence": 0.99}
    assert ("capture float32" in states) == (profile == "int8-pruned")
