"""Robustness in the line: which samples are perturbed, of how many, and what both endpoints answer to them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgekit.cache import Cache
from edgekit.errors import Misfit
from edgekit.ir.measurement import Measurement, no_latency
from edgekit.ir.validity import NOT_ASKED
from edgekit.measure.shards import Shards
from edgekit.parity.robustness.record import robustness_record
from edgekit.pipeline.both_endpoints import BothEndpoints, Respondent, one_for_both
from edgekit.pipeline.request import BuildRequest, find_project, resolve_requests
from edgekit.pipeline.robustness import (
    families_of,
    foreseen,
    needed_count,
    plan_of,
    robustness,
    robustness_alone,
    sample_count,
    spread,
)
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.report.sections.robustness import robustness as robustness_section
from edgekit.samples import Samples, load_samples
from edgekit.specs.profile import Probe
from edgekit.specs.project import Project
from edgekit.specs.robustness import RobustnessSpec
from edgekit.tasks.metric import SHARE
from tests.measure.test_store import ENVIRONMENT

COUNT = 24


def request(*changes: str) -> BuildRequest:
    return resolve_requests(find_project(None, "digits"), "host", "onnx", None, changes)[0]


def samples(side: int = 8) -> Samples:
    """Digits whose class is the row of the bright pixels."""
    labels = np.arange(COUNT) % 8
    pictures = np.full((COUNT, side, side, 1), 2, np.uint8)
    pictures[np.arange(COUNT), labels % side] = 12
    pictures[:, 0, 0, 0] = np.arange(COUNT) % 17
    return Samples({"image": pictures}, labels)


def brightest_row(lowest: int = 0) -> Respondent:
    """Network that answers by the brightest row, and sees no rows below `lowest`."""

    def measure(part: Samples, shards: Shards) -> Measurement:
        rows = part.inputs["image"].astype(np.float32).sum((2, 3))
        rows[:, :lowest] = 0
        outputs = {"y": np.pad(rows, ((0, 0), (0, 2)))}
        return Measurement(outputs, part.labels, part.digest, no_latency(), 0, 0, None, ENVIRONMENT, NOT_ASKED)

    return Respondent(measure)


def test_a_gate_has_its_perturbations_measured_and_an_option_adds_to_it() -> None:
    assert families_of(request().profile) == ()
    gated = "profile.gates.stability_drop.max=0.02"
    assert families_of(request(gated).profile) == ("shift",)
    assert families_of(request(gated, 'profile.robustness.measure="natural"').profile) == ("natural", "shift")
    assert families_of(request('profile.robustness.measure="all"').profile) == ("natural", "systematic", "shift")
    assert plan_of(request(), samples()) is None


def test_a_project_states_what_is_measured() -> None:
    assert families_of(request('project.robustness.measure="shift"').profile) == ("shift",)


def test_both_endpoints_are_scored_on_the_same_perturbed_samples(tmp_path: Path) -> None:
    line, asked_of = StageRunner(Cache(tmp_path)), request('profile.robustness.measure="shift"')
    reference, candidate = brightest_row(), brightest_row(2)
    both = BothEndpoints(reference, candidate, line)
    clean = [side.measure(samples(), Shards()) for side in (reference, candidate)]
    result = robustness(asked_of, samples(), clean[0], clean[1], both)
    assert result
    assert (result.samples, result.among) == (COUNT, COUNT)
    down = result.of("shift")["a pixel down"][0]
    assert down.scores
    # Every row moves on but the last, whose pixels leave the picture; the candidate sees two rows fewer.
    assert down.scores[0].value < 0.2
    assert down.stays[0].mean() < 0.2
    assert [record.name for record in line.records] == ["robustness"]


def test_a_model_without_a_reference_is_measured_once(tmp_path: Path) -> None:
    runs: list[int] = []
    network = brightest_row()

    def measure(part: Samples, shards: Shards) -> Measurement:
        runs.append(len(part))
        return network.measure(part, shards)

    clean, spec = network.measure(samples(), Shards()), RobustnessSpec(measure="shift", samples=10)
    both = one_for_both(measure, StageRunner(Cache(tmp_path)), "pi")
    result = robustness_alone(request().project, spec, Probe(), samples(), clean, both)
    assert runs == [4 * 10]
    assert result.samples == 10
    assert result.added(result.conditions[0]) == 0


def test_systematic_noise_is_on_the_files_where_a_folder_is_stated_and_the_report_says_so(tmp_path: Path) -> None:
    for i in range(8):
        (tmp_path / "set" / f"c{i % 2}").mkdir(parents=True, exist_ok=True)
        rows = np.linspace(0, 255, 40 + i)[:, None].astype(np.uint8)
        Image.fromarray(np.broadcast_to(rows, (40 + i, 30)).copy()).save(tmp_path / "set" / f"c{i % 2}" / f"{i}.png")
    steps = "resize = { size = [8, 8], kernel = 'area' }, scale = 0.00392156862745098"
    (tmp_path / "edgekit.toml").write_text(
        "[model]\nfactory = 'model.py:make'\nclasses = ['c0', 'c1']\n"
        f"[inputs.image]\nshape = [1, 8, 8]\npreprocess = {{ from = 'uint8 NHWC', {steps} }}\n"
        "[data]\nevaluation = { path = 'set', licence = 'none', source = 'made up' }\n"
    )
    project, network = Project.read(tmp_path), brightest_row()
    given = load_samples(project, "evaluation")
    both, spec = one_for_both(network.measure, StageRunner(Cache(tmp_path)), "pi"), RobustnessSpec(measure="systematic")
    for samples_given, place in ((given, "files"), (replace(given, metadata=None), "pixels")):
        clean = network.measure(samples_given, Shards())
        record = robustness_record(robustness_alone(project, spec, Probe(), samples_given, clean, both))
        assert record
        on = {one.perturbation: one.on for one in record.perturbations}
        assert (on["resized by nearest"], on["limited range as full"]) == (place, "pixels")
        (section,) = robustness_section(record, SHARE)
        if place == "files":
            assert (
                "On the files themselves, before the declared preprocessing: camera's JPEG, resized by nearest, "
                in (section.notes[-2])
            )
        assert section.notes[-1].startswith("On the pixels that the model takes: ")
        assert section.notes[-1].endswith(", as the evaluation data are no folder of files.") == (place == "pixels")


def test_pictures_that_are_too_small_are_told_before_the_build() -> None:
    with pytest.raises(Misfit, match="pictures of 6 x 6 pixels are too small"):
        plan_of(request('profile.robustness.measure="natural"'), samples(6))


def test_as_many_samples_are_perturbed_as_are_enough_and_affordable() -> None:
    measured = brightest_row().measure(samples(), Shards())
    spec, probe = RobustnessSpec(), Probe()
    kind = {kind: replace(measured, environment=replace(ENVIRONMENT, kind=kind)) for kind in ("emulated", "device")}
    assert sample_count(spec, probe, 5000, 92, kind["emulated"]) == 20
    assert sample_count(spec, probe, 5000, 92, kind["device"]) == 1000
    assert sample_count(spec, probe, 5000, 92, replace(kind["device"], samples_per_s=5.0)) == 97
    assert sample_count(spec, probe, 5000, 92, replace(kind["device"], samples_per_s=0.01)) == 20
    assert sample_count(RobustnessSpec(samples=7), probe, 5000, 92, kind["emulated"]) == 7
    assert list(spread(10, 4)) == [0, 2, 5, 7]


def test_an_emulated_device_is_asked_what_the_gates_need_and_its_time_allows_and_the_time_is_told() -> None:
    gates = request(
        "profile.gates.robustness_drop={ max = 0.03, confidence = 0.95 }", "profile.gates.systematic_drop.max=0.01"
    ).profile.gates
    needed = needed_count(gates)
    assert (needed_count(request().profile.gates), needed) == (0, 176)
    slow = replace(brightest_row().measure(samples(), Shards()), environment=replace(ENVIRONMENT, kind="emulated"))

    def count(per_s: float | None) -> int:
        return sample_count(RobustnessSpec(), Probe(), 5000, 92, replace(slow, samples_per_s=per_s), needed)

    assert [count(pace) for pace in (None, 50.0, 5.0, 0.1)] == [176, 176, 97, 20]
    told = [foreseen(92, 176, replace(slow, samples_per_s=pace)) for pace in (None, 9.0, 900.0)]
    assert told[0] == "92 conditions of 176 samples"
    assert told[1] == "92 conditions of 176 samples, about 30 min of the candidate"
    assert told[2].endswith(", less than a minute of the candidate")
