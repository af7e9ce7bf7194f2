"""Quantization-aware training (QAT): weights are trained with fake quantization in place."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from edgekit.errors import PassError
from edgekit.frontend.load import Model
from edgekit.ir.program import PassRecord
from edgekit.ir.sqnr import sqnr_db
from edgekit.passes.pruning.prune import outputs
from edgekit.passes.pruning.sparsity import masks
from edgekit.passes.recovery.batches import check_batches
from edgekit.passes.recovery.distill import distilling
from edgekit.passes.recovery.fake_quantize import Batched, calibrate, fake_quantized, trained_weights
from edgekit.passes.recovery.recover import training_name
from edgekit.passes.recovery.split import split
from edgekit.passes.recovery.training import Training
from edgekit.passes.recovery.weight_graph import WEIGHTS
from edgekit.samples import Samples
from edgekit.specs.compression import Recover

if TYPE_CHECKING:
    from edgekit.passes.base import Sample
    from edgekit.passes.quantization.quantize import Quantization

RATE = 0.1
"""Share of the recipe's learning rate: the network is trained already (Krishnamoorthi 2018, section 4.1)."""


def train_quantized(
    model: Model,
    original: Model,
    quantization: Quantization,
    recipe: Recover,
    training: Samples,
    calibration: Sequence[Sample],
    checkpoints: Path,
    tell: Callable[[str], None],
) -> Model:
    """Train `model` with every value rounded as the backend's kernels will round it.

    The result is still in float: capture and quantize it as any model, with the same recipe, backend and calibration
    set. Trains for `recipe.quantization_aware_epochs` epochs as `recover` does, at a tenth of its learning rate, in
    float32, with batch norms folded and ranges set anew at every epoch. It trains the network's own parameters, those
    of batch norms and of computed weights (weight norm …) too; the statistics of batch norms stay.

    original: the teacher, before any compression. calibration: one call's inputs each. checkpoints: a folder, from
    which an interrupted training continues. tell: receives progress in words. Raises PassError without training or
    calibration samples.
    """
    started = time.perf_counter()
    if not len(training) or not calibration:
        raise PassError(
            "quantization-aware training needs training and calibration data",
            hint="state [data] training and calibration in edgekit.toml",
        )
    check_batches(model)
    to_train, to_validate = split(training, model.project, recipe.validation)
    batch = min(recipe.batch, len(to_train))
    epochs = {"epochs": recipe.quantization_aware_epochs, "minutes": None, "features": (), "precision": "float32"}
    ours = recipe.model_copy(update={**epochs, "batch": batch, "learning_rate": recipe.learning_rate * RATE})
    student, teacher = fake_quantized(model, quantization, batch), copy.deepcopy(original.module).eval()
    calibrate(student, calibration)
    zeros = masks(model.module, model.history).items()
    zero_masks = {f"program.{WEIGHTS}.{name}": mask for name, mask in zeros if name in trained_weights(student)}
    with distilling(student, teacher, ours, model.examples) as distillation:
        name = training_name(student, teacher, ours, training)
        # An exported program has no modes. Ranges are set at the start of each epoch, and at its end, so that
        # validation sees the network that quantization will make of the weights.
        settle = partial(_settle, student, calibration)
        trained = Training(
            distillation, ours, to_train, to_validate, zero_masks, checkpoints, name, tell, settle, settle
        ).run()
    student.load_state_dict(dict(trained.best))
    module = copy.deepcopy(model.module)
    module.load_state_dict(trained_weights(student), strict=False)
    quality = sqnr_db(outputs(model.module, model.examples), outputs(module, model.examples))
    if math.isnan(quality):
        raise PassError("pass 'train-quantized' made outputs that are not finite", hint="lower [recover] learning_rate")
    options = (
        ("epochs", str(trained.progress.epochs)),
        ("ended", trained.progress.ended),
        ("validation before", f"{trained.before.value:.4g}"),
        ("validation after", f"{trained.progress.best.value:.4g}"),
        ("learning_rate", f"{ours.learning_rate:g}"),
    )
    record = PassRecord("train-quantized", options, time.perf_counter() - started, round(quality, 2))
    return replace(model, module=module.eval(), history=(*model.history, record))


def _settle(student: Batched, calibration: Sequence[Sample], _network: object) -> None:
    calibrate(student, calibration)
