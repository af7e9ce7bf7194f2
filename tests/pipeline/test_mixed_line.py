"""A build whose profile searches: what stays in float is found, measured, written down, and found again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edgekit.pipeline.stages import mixed_precision
from edgekit.pipeline.stages.mixed_precision import _rough
from edgekit.specs.compression import Quantize
from edgekit.specs.profile import Probe
from tests.command_line import LENIENT
from tests.conftest import Command
from tests.networks import TOML, write_project

MODEL = """
import torch
from torch import nn

def net():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.Hardswish(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 4),
    ).eval()
"""
UNTRAINED = ("--set", "profile.gates.reference_accuracy.min=0", "--set", "profile.gates.distinct_answers.min=1")
SEARCHES = ("--target", "host", "--backend", "onnx", "--profile", "int8-mixed", *LENIENT, *UNTRAINED)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path / "bent", MODEL, TOML, samples=64)


def recipe(out: Path) -> dict[str, object]:
    quantize: dict[str, object] = json.loads((out / "profile.json").read_text())["quantize"]
    return quantize


@pytest.mark.builds
def test_a_search_ends_in_a_recipe_that_can_be_written_down(
    command: Command, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Which candidate is the quickest is of no matter here.
    monkeypatch.setattr(mixed_precision, "PROBE", Probe(min_count=16, min_duration_s=0.05, processes=1))
    monkeypatch.setattr(mixed_precision, "ROUNDS", 1)
    argv = ("build", "--project", project, *SEARCHES, "--json", "--out")
    (plan,) = command("plan", "--project", project, *SEARCHES, "--json").document["plans"]
    first = command(*argv, tmp_path / "first")
    assert first.code == 0, first.err + first.out
    stages = {stage["name"]: stage["cached"] for stage in first.document["reports"][0]["stages"]}
    assert stages["mixed"] is False
    assert set(plan["stages"]) == set(stages)
    assert recipe(tmp_path / "first").get("mixed") is None
    again = command(*argv, tmp_path / "again")
    assert {stage["name"]: stage["cached"] for stage in again.document["reports"][0]["stages"]}["mixed"] is True
    assert recipe(tmp_path / "again") == recipe(tmp_path / "first")


def test_a_candidate_is_measured_with_the_operators_that_it_would_be_shipped_with() -> None:
    stated = {"skip": ["head"], "overrides": {"act": "float32"}, "correct_bias": True, "samples": 400}
    full = Quantize.model_validate({**stated, "activations": {"observer": "auto", "symmetric": True}})
    rough = _rough(full)
    assert (rough.kept, rough.precision, rough.activations.symmetric) == (full.kept, full.precision, True)
    assert (rough.samples, rough.correct_bias, rough.activations.observer) == (32, False, "minmax")
    assert _rough(full.model_copy(update={"samples": 8})).samples == 8


@pytest.mark.builds
def test_a_plan_says_that_a_search_is_to_do(command: Command, project: Path) -> None:
    (plan,) = command("plan", "--project", project, *SEARCHES, "--json").document["plans"]
    assert next(iter(plan["stages"])) == "mixed"
