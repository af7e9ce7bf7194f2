"""A plan tells the stages that a build then records, and which of them are reused."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.command_line import LENIENT
from tests.conftest import Command
from tests.networks import TOML, write_project

TRAINED = TOML + 'training = { path = "data.npz", licence = "made here", source = "random numbers" }\n'
PRUNED = ("prune.macs=0.9", "prune.round_to=1", "recover.epochs=1", "gates.accuracy_drop.max=1")


@pytest.mark.builds
@pytest.mark.parametrize(
    ("profile", "fields"), [("float32", ()), ("host-int8", ()), ("dynamic-int8", ()), ("int8-pruned", PRUNED)]
)
def test_a_plan_has_the_stages_of_the_build(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profile: str, fields: tuple[str, ...]
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    project = write_project(tmp_path / "project", toml=TRAINED, samples=64)
    changes = [word for field in fields for word in ("--set", f"profile.{field}")]
    options = ("--project", project, "--target", "host", "--backend", "onnx", "--profile", profile, *LENIENT, *changes)
    for _ in ("nothing is there", "all is there"):
        (plan,) = command("plan", *options, "--json").document["plans"]
        built = command("build", *options, "--out", tmp_path / "out", "--json")
        assert built.code in (0, 1), built.err
        (report,) = built.document["reports"]
        states = {stage["name"]: "cached" if stage["cached"] else "to do" for stage in report["stages"]}
        assert plan["stages"] == states
        assert list(plan["gates"]) == [gate["name"] for gate in report["gates"]]
        assert plan["gates"]["reference_accuracy"] == {"min": "chance", "confidence": 0.99}
    assert ("capture float32" in states) == (profile == "int8-pruned")
