"""Recovery: a pruned network is fine-tuned to answer as the original did, by knowledge distillation."""

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
from edgekit.passes.recovery.batches import check_batches
from edgekit.passes.recovery.distill import distilling
from edgekit.passes.recovery.split import split
from edgekit.passes.recovery.training import Trained, Training
from edgekit.samples import Samples
from edgekit.specs.compression import Recover


def recover(
    model: Model, original: Model, recipe: Recover, training: Samples, checkpoints: Path, tell: Callable[[str], None]
) -> Model:
    """Train `model` on `training` towards the outputs of `original` (knowledge distillation, Hinton et al. 2015).

    A share of the training data validates: the weights of the best epoch are returned, or those before training if no
    epoch does better. A loss that diverges ends the training; the best so far is returned. checkpoints: a folder, from
    which an interrupted training continues. tell: receives progress in words, at most a few times a second. Raises
    PassError if there are no or too few samples, if the network takes one sample at a time, if a feature of the recipe
    was pruned, or if the network's outputs have no gradients; UnknownName if the network has no such feature.
    """
    started = time.perf_counter()
    if not len(training):
        raise PassError("recovery needs training data", hint="state [data] training in edgekit.toml")
    check_batches(model)
    student, teacher = _channels_last(model.module), _channels_last(original.module).eval()
    for parameter in student.parameters():
        parameter.requires_grad_(parameter.is_floating_point())
    to_train, to_validate = split(training, model.project, recipe.validation)
    with distilling(student, teacher, recipe, model.examples) as distillation:
        name = training_name(student, teacher, recipe, training)
        zero_masks = masks(student, model.history)
        trained = Training(distillation, recipe, to_train, to_validate, zero_masks, checkpoints, name, tell).run()
    module = copy.deepcopy(model.module)
    module.load_state_dict({name: value.contiguous() for name, value in trained.best.items()})
    module.eval()
    quality = sqnr_db(outputs(model.module, model.examples), outputs(module, model.examples))
    if math.isnan(quality):
        raise PassError("pass 'recover' made outputs that are not finite", hint="lower [recover] learning_rate")
    seconds = time.perf_counter() - started
    record = PassRecord("recover", _options(recipe, trained), seconds, round(quality, 2))
    return replace(model, module=module, history=(*model.history, record))


def _channels_last(module: Deployed) -> Deployed:
    """Copy with weights in memory channels last, as raw pictures are: half the time of a step in float32."""
    copied: Deployed = copy.deepcopy(module)
    for layer in copied.modules():
        if isinstance(layer, nn.Conv2d):
            layer.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return copied


def training_name(student: nn.Module, teacher: nn.Module, recipe: Recover, training: Samples) -> str:
    """Digest of a training: a checkpoint under the same name can be continued."""
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
