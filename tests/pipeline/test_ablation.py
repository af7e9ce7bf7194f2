"""Ablation: each step of a recipe taken out, in a table; from the cache the second time; kept when it is stopped."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.api.ablation import kept_in
from edgekit.api.build_session import one_request
from edgekit.api.builds import load_project
from edgekit.cache import Cache
from edgekit.errors import Misfit
from edgekit.parity.ablation import Ablation
from edgekit.pipeline.ablation import AblationSession
from edgekit.pipeline.run import Trial
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.report.sections.ablation import ablation_section, sentence
from edgekit.specs.profile import Probe, Profile
from edgekit.specs.recipe_steps import recipe_steps
from tests.command_line import Ended, edgekit_here

pytestmark = pytest.mark.builds

INT8_ONLY = "target.runtime=[{backend='onnx', delegates=['cpu'], activations='uint8', precisions=['static-int8']}]"
"""A runtime that runs no float model: without quantization there is nothing to run."""


@pytest.fixture(scope="module")
def ablated(small: Path, places: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Path]:
    """The small project, ablated by the default profile of this host, and the folder where the table is kept."""
    out = tmp_path_factory.mktemp("ablated")
    options = ("--project", small, "--target", "host", "--backend", "onnx", "--set", INT8_ONLY)
    return edgekit_here("ablate", *options, "--out", out, "--json", env=places), out


def test_each_step_is_a_row_with_its_cost_or_the_reason_for_none(ablated: tuple[Ended, Path]) -> None:
    ended, out = ablated
    assert ended.code == 0, ended.err
    document = ended.document
    assert [row["step"] for row in document["rows"]] == ["quantization", "bias correction", "precision repair"]
    without_int8, without_bias, without_repair = document["rows"]
    assert "cannot run float32" in without_int8["reason"]
    assert "cost" not in without_int8
    assert without_bias["accuracy"]["low"] <= 0 <= without_bias["accuracy"]["high"]
    assert document["samples"] == 64
    assert without_repair["same_file"], "plain int8 holds on four colours"
    assert without_repair["cost"] == document["whole"]
    assert document["missing"] == []
    assert json.loads((out / "ablation.json").read_text()) == document


def test_the_table_names_what_each_step_does(ablated: tuple[Ended, Path]) -> None:
    table = (ablated[1] / "ablation.md").read_text()
    assert "no artifact can be made without quantization" in table
    assert "nothing is changed here by precision repair" in table
    assert "| precision repair |" in table
    assert "the same file: the step does nothing here" in table
    assert "without bias correction: quantize.correct\\_bias=false" in table


@pytest.fixture
def session(small: Path, ablated: tuple[Ended, Path], places: dict[str, str]) -> AblationSession:
    """The same ablation once more, with the same cache."""
    request = one_request(load_project(small), "host", "onnx", None, (INT8_ONLY,))
    return AblationSession(request, StageRunner(Cache(Path(places["EDGEKIT_CACHE"]))))


def test_a_second_ablation_makes_no_stage(session: AblationSession, ablated: tuple[Ended, Path]) -> None:
    again, first = session.ablate(), ablated[0].document
    assert first["stages_made"] > 0
    assert again.stages_made == 0
    assert again.whole.model_dump(exclude_none=True) == first["whole"]


def test_on_a_device_each_row_has_its_time_and_nothing_is_served(session: AblationSession, tmp_path: Path) -> None:
    request, device = session.request, tmp_path / "device"
    probe = Probe(min_count=4, min_duration_s=0.0, processes=1, cool_down_s=0.0)
    quick = replace(request, profile=request.profile.model_copy(update={"probe": probe}))
    timed = replace(session, request=quick, trial=Trial(f"local://{device}")).ablate()
    costs = [timed.whole, *(row.cost for row in timed.rows if row.cost)]
    assert len(costs) == 3
    assert all(cost.latency_p50_ns and cost.instructions is None for cost in costs)
    assert "time p50" in ablation_section(timed).header
    assert timed.stages_made == 0, "times are no stage: they are taken anew"
    assert not (device / "current").exists()


def test_stopped_it_keeps_the_rows_that_are_done(session: AblationSession, tmp_path: Path) -> None:
    write = kept_in(tmp_path)

    def stop_after_two(ablation: Ablation) -> None:
        write(ablation)
        if len(ablation.rows) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        session.ablate(stop_after_two)
    kept = Ablation.model_validate_json((tmp_path / "ablation.json").read_text())
    assert [row.step for row in kept.rows] == ["quantization", "bias correction"]
    assert kept.missing == ("precision repair",)
    assert "| precision repair | - |" in (tmp_path / "ablation.md").read_text()
    assert "precision repair" not in sentence(kept)


def test_a_profile_without_a_step_is_refused(small: Path, tmp_path: Path) -> None:
    request = one_request(load_project(small), "host", "onnx", "float32")
    with pytest.raises(Misfit, match="has no step to take out"):
        AblationSession(request, StageRunner(Cache(tmp_path))).ablate()


def profile(**tables: object) -> Profile:
    return Profile.model_validate({"schema": 1, "id": "p", "summary": "", "families": ["host"], **tables})


def test_every_option_of_a_recipe_is_a_step_and_is_taken_out_alone() -> None:
    quantize = {
        "equalize": True,
        "smooth": 0.5,
        "correct_bias": True,
        "repair": True,
        "activations": {"observer": "mse"},
        "weights": {"rounding": "gptq"},
        "skip": ["head"],
        "overrides": {"stem": "float32", "block": "dynamic-int8"},
    }
    steps = {step.name: step.without for step in recipe_steps(profile(quantize=quantize))}
    assert list(steps) == [
        "quantization", "equalization", "smooth quant", "clipping (mse)", "rounding (gptq)", "bias correction",
        "layers in float", "ranges at run time", "precision repair",
    ]  # fmt: skip
    assert steps["quantization"].quantize is None
    recipes = {name: without.quantize for name, without in steps.items() if without.quantize}
    assert recipes["smooth quant"].smooth is None
    assert recipes["clipping (mse)"].activations.observer == "minmax"
    assert recipes["clipping (mse)"].weights.rounding == "gptq"
    assert recipes["layers in float"].kept == ()
    assert recipes["layers in float"].overrides == {"block": "dynamic-int8"}
    assert recipes["ranges at run time"].dynamic == ()
    assert recipes["ranges at run time"].kept == ("head", "stem")


def test_training_goes_with_what_cannot_be_without_it() -> None:
    tables = {
        "prune": {"ratio": 0.5},
        "recover": {"epochs": 2, "quantization_aware_epochs": 1},
        "quantize": {"mode": "static", "mixed": {}, "repair": True},
    }
    steps = {step.name: step.without for step in recipe_steps(profile(**tables))}
    assert list(steps) == [
        "pruning", "recovery", "quantization-aware training", "quantization", "mixed precision", "all compression",
    ]  # fmt: skip
    without_int8 = steps["quantization"]
    assert without_int8.recover
    assert without_int8.recover.quantization_aware_epochs == 0
    assert without_int8.prune
    assert not steps["all compression"].compresses
