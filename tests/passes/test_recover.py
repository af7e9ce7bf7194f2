"""Recovery: what a short training gives back, and what may come between."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from edgekit.errors import PassError, UnknownName
from edgekit.examples import folder
from edgekit.frontend.load import Model, load
from edgekit.passes.pruning.prune import prune
from edgekit.passes.recovery.augment import augment
from edgekit.passes.recovery.checkpoint import FILE
from edgekit.passes.recovery.distill import distilling
from edgekit.passes.recovery.recover import recover
from edgekit.passes.recovery.split import split
from edgekit.passes.recovery.training import Training
from edgekit.samples import Samples, load_samples
from edgekit.specs.compression import Prune, Recover
from edgekit.specs.project import Project
from tests.passes.pruned_networks import RESIDUAL, made

pytestmark = pytest.mark.trains

QUICK = Recover(epochs=2, batch=16, learning_rate=0.02)


def quiet(_said: str) -> None:
    """For a test that does not read what it is lines."""


@pytest.fixture(scope="module")
def digits() -> Model:
    return load(Project.read(folder("digits")))


@pytest.fixture(scope="module")
def scans(digits: Model) -> Samples:
    return load_samples(digits.project, "training")


@pytest.fixture(scope="module")
def residual(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return made(tmp_path_factory.mktemp("residual"), RESIDUAL)


@pytest.fixture(scope="module")
def half(residual: Model) -> Model:
    return prune(residual, Prune(ratio=0.5), None)


@pytest.fixture(scope="module")
def few() -> Samples:
    random = np.random.default_rng(0)
    return Samples({"image": random.integers(0, 256, (80, 8, 8, 3), np.uint8)}, np.arange(80) % 4)


def accuracy(model: Model, samples: Samples) -> float:
    with torch.no_grad():
        answers = model.module(torch.from_numpy(samples.inputs["image"])).argmax(1).numpy()
    return float(np.mean(answers == samples.labels))


def state(model: Model) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.module.state_dict().items()}


def same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(left[name], right[name]) for name in left | right)


def said(model: Model) -> dict[str, str]:
    return dict(model.history[-1].options)


def test_a_pruned_network_gets_its_accuracy_back(digits: Model, scans: Samples, tmp_path: Path) -> None:
    evaluation = load_samples(digits.project, "evaluation")
    pruned = prune(digits, Prune(macs=0.3), None)
    before = state(pruned)
    lines: list[str] = []
    recipe = Recover(epochs=6, batch=32, learning_rate=0.05, augment=("shift",))
    recovered = recover(pruned, digits, recipe, scans, tmp_path, lines.append)
    assert accuracy(pruned, evaluation) < 0.9
    assert accuracy(recovered, evaluation) > accuracy(digits, evaluation) - 0.02
    assert same(before, state(pruned))
    assert float(said(recovered)["validation before"]) < float(said(recovered)["validation after"])
    assert [record.name for record in recovered.history] == ["prune", "recover"]
    assert "epoch 1 of 6, loss " in lines[0]
    assert lines[0].endswith(" s left")
    assert lines[-1].startswith("trained for 6 epochs; the best is ")
    assert not recovered.module.training


def test_the_same_seed_gives_the_same_weights_and_another_others(
    residual: Model, half: Model, few: Samples, tmp_path: Path
) -> None:
    recipe = QUICK.model_copy(update={"augment": ("flip", "shift")})
    results = [
        state(recover(half, residual, recipe.model_copy(update={"seed": seed}), few, tmp_path / folder, quiet))
        for folder, seed in (("a", 0), ("b", 0), ("c", 1))
    ]
    assert same(results[0], results[1])
    assert not same(results[0], results[2])


def stop_after(words: str) -> Callable[[str], None]:
    def tell(lines: str) -> None:
        if words in lines:
            raise KeyboardInterrupt

    return tell


def test_what_was_interrupted_goes_on_to_the_same_end(
    residual: Model, half: Model, few: Samples, tmp_path: Path
) -> None:
    recipe = Recover(epochs=4, batch=16, learning_rate=0.02, augment=("shift",))
    whole = recover(half, residual, recipe, few, tmp_path / "whole", quiet)
    with pytest.raises(KeyboardInterrupt):
        recover(half, residual, recipe, few, tmp_path / "twice", stop_after("epoch 3 of 4"))
    lines: list[str] = []
    resumed = recover(half, residual, recipe, few, tmp_path / "twice", lines.append)
    assert lines[0] == "goes on after epoch 2"
    assert not any("epoch 1 of 4" in line for line in lines)
    assert same(state(whole), state(resumed))
    assert said(whole)["validation before"] == said(resumed)["validation before"]


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_not_used(
    residual: Model, half: Model, few: Samples, tmp_path: Path
) -> None:
    fresh = recover(half, residual, QUICK, few, tmp_path / "fresh", quiet)
    recover(half, residual, QUICK.model_copy(update={"learning_rate": 0.01}), few, tmp_path / "other", quiet)
    lines: list[str] = []
    assert same(state(fresh), state(recover(half, residual, QUICK, few, tmp_path / "other", lines.append)))
    content = (tmp_path / "other" / FILE).read_bytes()
    (tmp_path / "other" / FILE).write_bytes(content[: len(content) // 2])
    assert same(state(fresh), state(recover(half, residual, QUICK, few, tmp_path / "other", lines.append)))
    assert not any(line.startswith("goes on") for line in lines)


def test_minutes_are_a_budget_that_the_learning_rate_follows(
    residual: Model, half: Model, few: Samples, tmp_path: Path
) -> None:
    recipe = Recover(minutes=0.02, batch=16, learning_rate=0.02)
    lines: list[str] = []
    recovered = recover(half, residual, recipe, few, tmp_path, lines.append)
    assert recovered.history[-1].seconds >= 1.2
    assert said(recovered)["budget"] == "0.02 minutes"
    assert " of " not in lines[0]


def test_gradients_of_two_half_batches_make_one_step(
    residual: Model, half: Model, few: Samples, tmp_path: Path
) -> None:
    recipe = Recover(epochs=1, batch=8, accumulate=2, learning_rate=0.02, precision="bfloat16")
    recovered = recover(half, residual, recipe, few, tmp_path, quiet)
    assert said(recovered)["batch"] == "16"
    assert said(recovered)["ended"] == "trained for 1 epochs"


def test_a_loss_that_diverges_stops_and_the_best_stays(
    residual: Model, half: Model, few: Samples, tmp_path: Path
) -> None:
    lines: list[str] = []
    recipe = Recover(epochs=50, batch=16, learning_rate=1e6)
    recovered = recover(half, residual, recipe, few, tmp_path, lines.append)
    assert said(recovered)["ended"].startswith("diverged in epoch ")
    assert lines[-1].startswith("diverged in epoch ")
    assert all(bool(torch.isfinite(value).all()) for value in state(recovered).values())
    assert float(said(recovered)["validation after"]) >= float(said(recovered)["validation before"])


def test_the_best_epoch_is_kept_not_the_last(digits: Model, scans: Samples, tmp_path: Path) -> None:
    learnt, held = split(scans, digits.project, 0.5)
    wrong = replace(learnt, labels=(learnt.labels + 1) % 10)  # every epoch does worse than the network did before
    recipe = Recover(epochs=2, batch=32, learning_rate=0.2, distill=0)
    student = copy.deepcopy(digits.module)
    with distilling(student, digits.module, recipe, digits.examples) as one:
        trained = Training(one, recipe, wrong, held, {}, tmp_path, "wrong", quiet).run()
    assert trained.progress.epochs == 2
    assert trained.progress.best == trained.before
    assert same(dict(trained.best), state(digits))
    assert not same(dict(student.state_dict()), state(digits))


@pytest.mark.parametrize("recipe", [Prune(pattern="2:4"), Prune(pattern="unstructured", ratio=0.6)])
def test_weights_that_were_pruned_stay_zero(residual: Model, few: Samples, tmp_path: Path, recipe: Prune) -> None:
    sparse = prune(residual, recipe, None)
    recovered = recover(sparse, residual, QUICK, few, tmp_path, quiet)
    for name, before in state(sparse).items():
        after = recovered.module.state_dict()[name]
        if before.ndim > 1 and "preprocess" not in name:
            assert torch.equal(before == 0, after == 0), name
            assert not torch.equal(before, after), name


def test_features_are_followed_too(digits: Model, scans: Samples, tmp_path: Path) -> None:
    pruned = prune(digits, Prune(ratio=0.5, skip=("conv2",)), None)
    recipe = Recover(epochs=1, batch=32, learning_rate=0.02)
    plain = recover(pruned, digits, recipe, scans, tmp_path / "plain", quiet)
    following = recipe.model_copy(update={"features": ("block",)})
    followed = recover(pruned, digits, following, scans, tmp_path / "followed", quiet)
    assert apart(followed, digits, scans) < 0.9 * apart(plain, digits, scans)
    assert not digits.module.model.get_submodule("block")._forward_hooks


def apart(model: Model, other: Model, samples: Samples) -> float:
    """How far the last block's outputs are from another network's."""
    results = []
    for one in (model, other):
        hook = one.module.model.get_submodule("block").register_forward_hook(lambda *seen: results.append(seen[2]))
        with torch.no_grad():
            one.module(torch.from_numpy(samples.inputs["image"]))
        hook.remove()
    return float((results[0] - results[1]).square().mean())


def test_a_feature_that_was_pruned_or_is_none_is_lines(
    residual: Model, half: Model, few: Samples, tmp_path: Path
) -> None:
    with pytest.raises(PassError, match=r"'narrow\.conv1' was pruned, \[1, 16, 8, 8\] to \[1, 8, 8, 8\]"):
        recover(half, residual, QUICK.model_copy(update={"features": ("narrow.conv1",)}), few, tmp_path, quiet)
    with pytest.raises(UnknownName, match="no module of the network is named 'narow'") as caught:
        recover(half, residual, QUICK.model_copy(update={"features": ("narow",)}), few, tmp_path, quiet)
    assert caught.value.hint == "did you mean 'narrow'?"


def test_targets_that_are_no_classes_are_learnt_by_squared_error(digits: Model, scans: Samples, tmp_path: Path) -> None:
    with torch.no_grad():
        targets = digits.module(torch.from_numpy(scans.inputs["image"])).double().numpy()
    pruned = prune(digits, Prune(macs=0.3), None)
    recipe = Recover(epochs=2, batch=32, learning_rate=0.005, distill=0.5)
    recovered = recover(pruned, digits, recipe, replace(scans, labels=targets), tmp_path, quiet)
    before, after = (float(said(recovered)[f"validation {when}"]) for when in ("before", "after"))
    assert before < 2 * after < 0


@pytest.mark.parametrize("count", [0, 2])
def test_too_little_to_train_on_is_lines(
    residual: Model, half: Model, few: Samples, tmp_path: Path, count: int
) -> None:
    with pytest.raises(PassError, match=r"needs training data|2 training samples are too few") as caught:
        recover(half, residual, QUICK, few.take(range(count)), tmp_path, quiet)
    assert "[data] training" in str(caught.value.hint)


def test_a_network_without_derivatives_is_refused(few: Samples, tmp_path: Path) -> None:
    model = made(tmp_path, RESIDUAL.replace("return self.head(", "with torch.no_grad(): return self.head("))
    with pytest.raises(PassError, match=r"^the network cannot be trained: .*does not require grad") as caught:
        recover(model, model, QUICK, few, tmp_path, quiet)
    assert "torch.no_grad" in str(caught.value.hint)


def test_the_split_holds_back_every_class_s_share(digits: Model, scans: Samples) -> None:
    learnt, held = split(scans, digits.project, 0.1)
    assert len(learnt) + len(held) == len(scans)
    assert len(held) == round(0.1 * len(scans))
    shares = np.bincount(held.labels) / np.bincount(scans.labels)
    assert np.all(abs(shares - 0.1) < 0.015)


def test_pictures_are_mirrored_and_shifted_whole() -> None:
    pictures = torch.arange(64 * 16 * 16).remainder(251).to(torch.uint8).reshape(64, 16, 16, 1)
    flipped = augment(pictures, ("flip",), torch.Generator().manual_seed(0))
    mirrored = [bool(torch.equal(new, old.flip(1))) for new, old in zip(flipped, pictures, strict=True)]
    untouched = [bool(torch.equal(new, old)) for new, old in zip(flipped, pictures, strict=True)]
    assert all(a != b for a, b in zip(mirrored, untouched, strict=True))
    assert 16 < sum(mirrored) < 48
    shifted = augment(pictures, ("shift",), torch.Generator().manual_seed(0))
    assert shifted.shape == pictures.shape
    inner = pictures[:, 4:12, 4:12]
    moves = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
    results = {
        move
        for move in moves
        for new, old in zip(shifted, inner, strict=True)
        if torch.equal(new[4 - move[0] : 12 - move[0], 4 - move[1] : 12 - move[1]], old)
    }
    assert len(results) > 12
    assert torch.equal(augment(pictures, (), torch.Generator()), pictures)
