"""Recovery: what is left of a network is trained to answer as the whole one did."""

from __future__ import annotations

import copy
import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from edgekit.errors import PassError
from edgekit.frontend.load import Model
from edgekit.frontend.preprocess import Deployed
from edgekit.ir.program import PassRecord
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.pruning.prune import outputs
from edgekit.passes.pruning.sparsity import masks
from edgekit.passes.recovery.distill import distilling
from edgekit.passes.recovery.split import split
from edgekit.passes.recovery.training import Trained, Training
from edgekit.samples import Samples
from edgekit.specs.compression import Recover


def recover(
    model: Model, original: Model, recipe: Recover, training: Samples, checkpoints: Path, tell: Callable[[str], None]
) -> Model:
    """`model`, trained on `training` towards the answers of `original` (knowledge distillation, Hinton et al. 2015).

    A share of the training data validates: the epoch that does best on it is kept, and the model as it was if none does
    better. checkpoints: a folder; what was interrupted goes on from there. tell: is told how it goes, at most a few
    times a second. A loss that diverges ends the training, and the best so far is kept. Raises PassError if there are
    no or too few samples, if a feature to follow was pruned, or if torch cannot derive the network's answers;
    UnknownName if there is no such feature.
    """
    started = time.perf_counter()
    if not len(training):
        raise PassError("recovery needs training data", hint="state [data] training in edgekit.toml")
    student, teacher = _quick(model.module), _quick(original.module).eval()
    for parameter in student.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    learnt, held = split(training, model.project, recipe.validation)
    with distilling(student, teacher, recipe, model.examples) as one:
        name = training_name(student, teacher, recipe, training)
        kept = masks(student, model.history)
        trained = Training(one, recipe, learnt, held, kept, checkpoints, name, tell).run()
    module = copy.deepcopy(model.module)
    module.load_state_dict({name: value.contiguous() for name, value in trained.best.items()})
    module.eval()
    quality = sqnr_db(outputs(model.module, model.examples), outputs(module, model.examples))
    if math.isnan(quality):
        raise PassError("pass 'recover' made outputs that are not finite", hint="lower [recover] learning_rate")
    seconds = time.perf_counter() - started
    record = PassRecord("recover", _options(recipe, trained), seconds, round(quality, 2))
    return replace(model, module=module, history=(*model.history, record))


def _quick(module: Deployed) -> Deployed:
    """A copy with its weights laid out as raw pictures are, channels last: half the time of a step in float32."""
    copied: Deployed = copy.deepcopy(module)
    for layer in copied.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return copied


def training_name(student: nn.Module, teacher: nn.Module, recipe: Recover, training: Samples) -> str:
    """The same for the same training alone: its checkpoint can be gone on from."""
    sha = hashlib.sha256(f"{recipe.model_dump_json()} {training.digest} {torch.__version__}".encode())
    for network in (student, teacher):
        for name, value in network.state_dict().items():
            sha.update(name.encode())
            sha.update(value.contiguous().numpy().tobytes())
    return sha.hexdigest()


def _options(recipe: Recover, trained: Trained) -> tuple[tuple[str, str], ...]:
    progress = trained.progress
    return (
        ("budget", " or ".join(_budgets(recipe))),
        ("ended", progress.ended),
        ("epochs", str(progress.epochs)),
        ("validation before", f"{trained.before.value:.4g}"),
        ("validation after", f"{progress.best.value:.4g}"),
        ("learning_rate", f"{recipe.learning_rate:g}"),
        ("batch", str(recipe.batch * recipe.accumulate)),
        ("distill", f"{recipe.distill:g}"),
        ("temperature", f"{recipe.temperature:g}"),
        ("augment", " ".join(recipe.augment)),
        ("precision", recipe.precision),
        ("seed", str(recipe.seed)),
    )


def _budgets(recipe: Recover) -> list[str]:
    budgets = {"epochs": recipe.epochs, "minutes": recipe.minutes}
    return [f"{value:g} {name}" for name, value in budgets.items() if value]
