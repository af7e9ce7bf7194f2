"""Probes of a model on this machine: operators, throughput, and a whole plan of latency."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.api.builds import load_project
from edgekit.api.probes import evaluation_samples, probe_model, probe_operators, probe_throughput
from edgekit.pipeline.probe import subject
from edgekit.samples import Samples, load_samples
from edgekit.specs.profile import Probe
from edgekit.specs.project import Project
from tests.conftest import Built

PLAN = Probe(min_count=3, min_duration_s=0.0, processes=1, cool_down_s=0.0)


@pytest.fixture
def device(tmp_path: Path) -> str:
    return f"local://{tmp_path / 'device'}"


@pytest.fixture
def project(small: Path) -> Project:
    return load_project(small)


@pytest.fixture
def samples(project: Project) -> Samples:
    return load_samples(project, "evaluation", 8)


def test_a_plan_is_carried_out_and_the_sampling_returned(built: Built, device: str, project: Project) -> None:
    def choose(model: object, limit: int | None) -> Samples:
        return load_samples(project, "evaluation", 4)

    probed = probe_model(device, built.bundle, samples=choose, plan=PLAN)
    assert len(probed.measurement) == 4
    assert probed.sampling
    assert (probed.sampling.taken, probed.sampling.total) == (4, 64)


def test_a_probe_may_end_once_the_metric_is_known_and_tells_it(built: Built, device: str, project: Project) -> None:
    probed = probe_model(device, built.bundle, samples=project, plan=PLAN, stop_early=project)
    assert probed.early_stop
    assert (probed.early_stop.asked, probed.early_stop.of) == (64, 64)  # too few to be sure any sooner
    assert "no look before" in probed.early_stop.reason
    assert probed.score
    assert probed.score.low <= probed.score.value <= probed.score.high
    whole = probe_model(device, built.bundle, samples=project, plan=PLAN)
    assert whole.score is None
    for name, output in whole.measurement.outputs.items():
        np.testing.assert_array_equal(output, probed.measurement.outputs[name])
    assert whole.measurement.samples_digest == probed.measurement.samples_digest


def test_operators_are_timed_on_samples_or_a_project(
    built: Built, device: str, samples: Samples, project: Project
) -> None:
    for source in (samples, project):
        traced = probe_operators(device, built.bundle, samples=source)
        assert traced.rows
        assert traced.threads == 1
        assert sum(row.ns for row in traced.rows) <= traced.whole_ns


def test_throughput_is_of_one_combination_or_of_all(built: Built, device: str, samples: Samples) -> None:
    one = probe_throughput(device, built.bundle, samples=samples, threads=1, instances=2, min_duration_s=0.1)
    assert [(run.threads, run.instances) for run in one.runs] == [(1, 2)]
    lines: list[tuple[str, object]] = []
    swept = probe_throughput(
        device, built.bundle, samples=samples, min_duration_s=0.1, watch=lambda name, words: lines.append((name, words))
    )
    assert swept.runs[0].instances == 1
    assert [name for name, _ in lines] == ["throughput"] * len(swept.runs)


def test_evaluation_samples_have_the_names_that_the_model_takes(built: Built, device: str, project: Project) -> None:
    with subject(device, built.bundle) as model:
        assert len(evaluation_samples(project, model)) == 64
        few = evaluation_samples(project, model, 5)
        assert len(few) == 5
        assert set(few.inputs) == {spec.name for spec in model.signature.inputs}
