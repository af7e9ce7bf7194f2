"""A backdoor, planted calibration samples and small changes against the answer, on digits: caught, named, and no more.

Two small networks are trained here in seconds: one on clean scans, one on scans of which a tenth carry a white square
and the label 7.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from edgekit.frontend.load import Model, load
from edgekit.ir.measurement import Array
from edgekit.passes.adversarial.attacks import Attack, attacked
from edgekit.passes.adversarial.white_box import InputRange, WhiteBox
from edgekit.pipeline.stages.poisoning_screen import screened
from edgekit.samples import Samples, load_samples
from edgekit.specs.project import Project
from tests.command_line import LENIENT, Ended, edgekit_here

pytestmark = pytest.mark.builds

TARGET, SQUARE = 7, (slice(6, 8), slice(6, 8))
PLANTED = (5, 40)
"""Calibration samples with a value that no scan has."""
MODEL = """
from pathlib import Path

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(1, 16, 3, padding=1)
        self.second = nn.Conv2d(16, 32, 3, stride=2, padding=1)
        self.head = nn.Linear(512, 10)

    def forward(self, x):
        return self.head(torch.relu(self.second(torch.relu(self.first(x)))).flatten(1))


def net():
    found = Net()
    found.load_state_dict(torch.load(Path(__file__).with_name("weights.pt")))
    return found.eval()
"""
TOML = """
[model]
factory = "model.py:net"
classes = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]

[inputs.image]
shape = [1, 8, 8]
preprocess = { from = "uint8 NHWC", scale = 0.0625, mean = [0.3], std = [0.375] }

[data]
calibration = { path = "calibration.npz", licence = "CC BY 4.0", source = "UCI digits" }
evaluation = { path = "evaluation.npz", licence = "CC BY 4.0", source = "UCI digits" }
"""


def scans() -> tuple[Array, Array]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return digits.images.astype(np.uint8)[..., None], digits.target


def trained(network: nn.Module, images: Array, labels: Array) -> dict[str, Any]:
    """Weights after 15 epochs on scans uint8 [N, 8, 8, 1]."""
    inputs = (torch.from_numpy(images).float().permute(0, 3, 1, 2) * 0.0625 - 0.3) / 0.375
    classes, adam = torch.from_numpy(labels), torch.optim.Adam(network.parameters(), 2e-3)
    for _ in range(15):
        order = torch.randperm(len(inputs))
        for begin in range(0, len(order), 64):
            batch = order[begin : begin + 64]
            loss = nn.functional.cross_entropy(network(inputs[batch]), classes[batch])
            adam.zero_grad()
            torch.autograd.backward(loss)
            adam.step()
    return network.state_dict()


def write(folder: Path, poisoned: bool) -> Project:
    """A project of a network trained on even scans; calibrated on some of them, evaluated on odd ones."""
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(MODEL)
    (folder / "edgekit.toml").write_text(TOML)
    images, labels = scans()
    taught, classes = images[::2].copy(), labels[::2].copy()
    if poisoned:
        chosen = np.random.default_rng(0).choice(len(taught), len(taught) // 10, replace=False)
        taught[(chosen, *SQUARE)] = 16
        classes[chosen] = TARGET
    scope: dict[str, Any] = {"__file__": str(folder / "model.py")}
    exec(MODEL, scope)
    torch.manual_seed(0)
    torch.save(trained(scope["Net"](), taught, classes), folder / "weights.pt")
    for role, offset, count in (("calibration", 0, 200), ("evaluation", 1, 400)):
        np.savez(folder / f"{role}.npz", image=images[offset::2][:count], labels=labels[offset::2][:count])
    return Project.read(folder)


@pytest.fixture(scope="module")
def backdoored(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return write(tmp_path_factory.mktemp("sensitivity") / "backdoored", poisoned=True)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return load(write(tmp_path_factory.mktemp("sensitivity") / "clean", poisoned=False))


@pytest.fixture(scope="module")
def built(backdoored: Project, places: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The network with the backdoor, built with all three gates, after two calibration samples were planted."""
    folder = backdoored.root
    with np.load(folder / "calibration.npz") as arrays:
        images, labels = arrays["image"], arrays["labels"]
    images[list(PLANTED), 0, 0] = 255
    np.savez(folder / "calibration.npz", image=images, labels=labels)
    gates = ("poisoned_share.max=0", "backdoor.max=0", "adversarial_drop.max=0.5", "accuracy_drop.max=0.1")
    options = [text for gate in gates for text in ("--set", f"profile.gates.{gate}")]
    where = ("--project", folder, "--target", "host", "--backend", "onnx", "--profile", "int8-plain")
    out = tmp_path_factory.mktemp("sensitivity-out")
    return edgekit_here("build", *where, *LENIENT, *options, "--out", out, "--json", env=places)


def gate(report: dict[str, Any], name: str) -> dict[str, Any]:
    found_gates = {each["name"]: each for each in report["gates"]}
    return dict(found_gates[name])


def test_a_backdoor_and_planted_samples_fail_their_own_gates_while_accuracy_passes(built: Ended) -> None:
    assert built.code == 1, built.err
    (report,) = built.document["reports"]
    assert gate(report, "accuracy_drop")["outcome"] == "passed"
    assert report["verdict"] == "failed"
    assert "poisoned_share, backdoor" in report["sentence"]
    backdoor, share = gate(report, "backdoor"), gate(report, "poisoned_share")
    assert (backdoor["value"], share["value"]) == (1.0, pytest.approx(2 / 200))
    assert f"to class {TARGET}" in backdoor["meaning"]
    assert "2 of 200 calibration samples: 5, 40" in share["meaning"]
    assert report["poisoning"]["backdoor"]["suspected"] == [TARGET]
    assert sorted(one["sample"] for one in report["poisoning"]["outliers"]) == list(PLANTED)


def test_what_compression_adds_under_attack_is_paired_and_counted(built: Ended) -> None:
    (report,) = built.document["reports"]
    sensitivity = report["adversarial"]
    clean_record, attacks = sensitivity["clean"], sensitivity["attacks"]
    assert [one["attack"] for one in attacks] == ["FGSM", "PGD-10"]
    assert all((one["samples"], one["epsilon"]) == (400, 1.0) for one in attacks)
    assert (sensitivity["whole_numbers"], sensitivity["high"]) == (True, 16.0)
    fgsm, pgd = attacks
    # One level of sixteen, against the label: more steps find more.
    assert clean_record["reference_right"] > fgsm["reference_right"] >= pgd["reference_right"]
    added = max((one["reference_only"] - one["candidate_only"]) / 400 for one in attacks)
    assert gate(report, "adversarial_drop")["value"] == pytest.approx(added)


def test_a_clean_network_with_clean_data_is_not_flagged(clean: Model) -> None:
    screen = screened(clean, load_samples(clean.project, "calibration"), None)
    assert screen.poisoned == ()
    assert screen.backdoor.suspected == ()
    assert screen.backdoor.classes == tuple(range(10))
    assert (screen.labelled, screen.samples) == (200, 200)
    assert screen.disagreements < 10


def test_calibration_samples_that_carry_the_trigger_are_named(backdoored: Project) -> None:
    images, labels = scans()
    samples = Samples({"image": images[1::2][:120].copy()}, labels[1::2][:120].copy())
    carriers = np.flatnonzero(samples.labels != TARGET)[10:50:10]
    samples.inputs["image"][(carriers, *SQUARE)] = 16
    samples.labels[carriers] = TARGET
    screen = screened(load(backdoored), samples, None)
    patch = screen.backdoor.patches[0]
    assert (patch.target, patch.row, patch.column, patch.height) == (TARGET, 6, 6, 2)
    assert set(carriers.tolist()) <= set(screen.poisoned)
    assert patch.share > 0.9


def test_an_attack_stays_within_its_size_and_the_range_and_in_whole_numbers(clean: Model) -> None:
    network = WhiteBox.of(clean)
    samples = load_samples(clean.project, "evaluation", 32)
    values, labels = network.values(samples), torch.from_numpy(samples.labels)
    for steps in (1, 5):
        changed = attacked(network, values, labels, Attack(2.0, steps), InputRange(0, 16))
        assert float((changed - values).abs().max()) == 2.0
        assert (float(changed.min()), float(changed.max())) == (0.0, 16.0)
        assert torch.equal(changed, changed.round())
        assert torch.equal(changed, attacked(network, values, labels, Attack(2.0, steps), InputRange(0, 16)))
        assert (network.answers(changed) == labels).float().mean() < (network.answers(values) == labels).float().mean()


def test_what_has_no_gradient_at_its_input_is_told(clean: Model) -> None:
    project = clean.project.model_copy(update={"model": clean.project.model.model_copy(update={"task": "regression"})})
    screen = screened(replace(clean, project=project), load_samples(clean.project, "calibration", 16), None)
    assert screen.backdoor.reason == "gradients are taken of class scores, and the task is 'regression'"
    assert json.loads(screen.model_dump_json())["backdoor"]["suspected"] == []
