"""A device too slow for a whole evaluation set is asked a stratified sample of it, unless a number was asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgekit.api.probes import probe_model
from edgekit.cli.measurement_table import as_json, as_rows
from edgekit.devices.flash import Installation, flash
from edgekit.devices.local import Local
from edgekit.pipeline.accuracy_budget import ALWAYS_ENOUGH, affordable, is_large
from edgekit.pipeline.probe import Probed, Subject, probe
from edgekit.samples import Samples, Sampling, load_samples
from edgekit.specs.profile import Probe
from edgekit.specs.project import Project
from tests.command_line import LENIENT
from tests.conftest import Built, Command
from tests.devices.conftest import MakeBundle, device, make_bundle
from tests.networks import write_project
from tests.runner import slot

__all__ = ["device", "make_bundle"]

TOTAL = 1200
SLOW_S, QUICK_S = 1e-6, 1e6
SAMPLED = Sampling(ALWAYS_ENOUGH, TOTAL, stratified=True)
UNTOUCHED: dict[str, list[str]] = {"changes": [], "left_out": []}
ALL = Sampling(TOTAL, TOTAL, stratified=False)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with more samples than are always enough."""
    return write_project(tmp_path_factory.mktemp("large") / "large", samples=TOTAL)


@pytest.fixture
def installation(device: Local, make_bundle: MakeBundle) -> Installation:
    return flash(make_bundle("one"), device)


def _samples(count: int) -> Samples:
    return Samples(slot.inputs(count), np.zeros(count, np.int64))


def test_a_set_of_always_enough_samples_is_not_large(installation: Installation) -> None:
    assert not is_large(installation, _samples(ALWAYS_ENOUGH))
    assert is_large(installation, _samples(ALWAYS_ENOUGH + 1))


def test_as_many_samples_as_a_device_answers_in_time(installation: Installation) -> None:
    samples = _samples(3000)
    assert affordable(installation, samples, SLOW_S) == ALWAYS_ENOUGH
    assert affordable(installation, samples, QUICK_S) == 3000


@pytest.mark.parametrize(("limit_s", "sampling"), [(SLOW_S, SAMPLED), (QUICK_S, ALL), (None, ALL)])
def test_a_probe_keeps_to_its_limit(
    built: Built, large: Path, tmp_path: Path, limit_s: float | None, sampling: Sampling
) -> None:
    project = Project.read(large)

    def choose(subject: Subject, count: int | None) -> Samples:
        return load_samples(project, "evaluation", count)

    probed = probe(f"local://{tmp_path / 'device'}", choose, None, built.bundle, limit_s=limit_s)
    assert probed.sampling == sampling
    assert len(probed.measurement) == sampling.taken
    np.testing.assert_array_equal(np.bincount(probed.measurement.labels), [sampling.taken // 4] * 4)


def test_the_command_states_the_limit_unless_a_number_was_asked_for(
    command: Command, built: Built, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float | None] = []

    def noted(*arguments: Any, limit_s: float | None, **options: Any) -> Probed:
        limits.append(limit_s)
        return probe_model(*arguments, limit_s=limit_s, **options)

    monkeypatch.setattr("edgekit.cli.probe.probe_model", noted)
    argv = ("probe", built.bundle, "--project", large, "--device", f"local://{tmp_path / 'device'}", "--json")
    quick = ("--min-count", 3, "--min-duration", 0, "--processes", 1)
    assert command(*argv, *quick).document["measurement"]["sampling"] == {
        "taken": TOTAL,
        "total": TOTAL,
        "stratified": False,
        **UNTOUCHED,
    }
    assert command(*argv, *quick, "--samples", 1100).document["measurement"]["sampling"]["taken"] == 1100
    assert limits == [Probe().accuracy_limit_s, None]
    measured = probe(argv[5], lambda *_: load_samples(Project.read(large), "evaluation", 4), None, built.bundle)
    probed = Probed(measured.measurement, SAMPLED)
    assert ("answers", "1,000 of 1,200 samples, stratified by class (all: --samples 1200)") in as_rows(probed)
    sampled = json.loads(json.dumps(as_json(probed)))["sampling"]
    assert sampled == {"taken": 1000, "total": 1200, "stratified": True, **UNTOUCHED}


@pytest.mark.builds
@pytest.mark.parametrize(
    ("limit_s", "options", "answered"), [(SLOW_S, (), 1000), (SLOW_S, ("--samples", 1100), 1100), (QUICK_S, (), 1200)]
)
def test_a_run_keeps_to_the_limit_of_its_profile(
    command: Command, large: Path, tmp_path: Path, limit_s: float, options: tuple[object, ...], answered: int
) -> None:
    argv = ["run", "--project", large, "--target", "host", "--profile", "float32", "--backend", "onnx", *LENIENT]
    argv += ["--set", f"profile.probe.accuracy_limit_s={limit_s}", "--set", "profile.probe.min_duration_s=0"]
    argv += ["--set", "profile.probe.min_count=3", "--set", "profile.probe.processes=1", *options]
    ended = command(*argv, "--device", f"local://{tmp_path / 'device'}", "--out", tmp_path / "out")
    assert ended.code in (0, 1), ended.err  # whatever the verdict on a network of chance is
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["sampling"] == {"taken": answered, "total": TOTAL, "stratified": answered < TOTAL, **UNTOUCHED}
    assert report["candidate"]["samples"] == report["reference"]["samples"] == answered
