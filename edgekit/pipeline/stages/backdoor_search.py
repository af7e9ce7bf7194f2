"""Search for a backdoor: patches that the calibration data carry, and patches by the gradient of the float network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgekit.errors import PassError
from edgekit.ir.measurement import Array
from edgekit.parity.poisoning.common_patches import CommonPatch, common_patches
from edgekit.parity.poisoning.patch_sizes import FEWEST, anomalies, outlying
from edgekit.parity.poisoning.record import BackdoorScreen, Patch
from edgekit.samples import Samples
from edgekit.stratification import spread

if TYPE_CHECKING:
    from torch import Tensor

    from edgekit.frontend.load import Model
    from edgekit.passes.adversarial.trigger_search import Triggers
    from edgekit.passes.adversarial.white_box import InputRange, WhiteBox

FLIPS = 0.9
"""Share of other samples that a patch must flip to its class."""
PASTED = 64
"""Samples that a patch is tried on, at most."""
ENOUGH = 10
"""Samples that it is tried on, at least."""
FITTED = 32
"""Samples that patches are optimised on."""
FEW_FITTED = 8
MOST_CLASSES = 20
WORK = 4e12
"""Multiply-accumulates that a search may take, forward and backward: a few minutes on two cores."""
COVERED = 0.25
"""Share of the pattern from which a pixel counts as covered by a mask."""


def class_answers(model: Model, samples: Samples) -> Array | None:
    """Class that the float network answers each sample by, int64 [N]; None for what is no classifier of one input."""
    from edgekit.passes.adversarial.white_box import WhiteBox

    try:
        network = WhiteBox.of(model)
        return network.answers(network.values(samples)).numpy()
    except PassError:
        return None


def backdoor_screen(model: Model, samples: Samples, labels: Array | None) -> BackdoorScreen:
    """Search for patches that flip answers to one class. labels: classes int [N]; by default the network's answers."""
    from edgekit.passes.adversarial.white_box import WhiteBox

    try:
        network = WhiteBox.of(model)
        shape = network.spec.raw_shape
        if len(shape) != 3:
            raise PassError(f"patches are of pictures, and '{network.name}' is {list(shape)}")
        values, bounds = network.values(samples), network.bounds(samples)
        answers = network.answers(values)
        count = int(network.scores(values[:1]).shape[1])
        patches = _in_data(network, samples, values, answers.numpy() if labels is None else labels, answers)
    except PassError as error:
        return BackdoorScreen(reason=str(error))
    suspected = {patch.target for patch in patches}
    base = {"of_classes": count, "area": float(np.prod(_pixels(network))), "patches": patches}
    try:
        fit, triggers = _searched(network, values, count, bounds)
        by_search = _outliers(network, values, answers, fit, triggers, bounds)
    except PassError as error:
        return BackdoorScreen(reason=str(error), suspected=tuple(sorted(suspected)), **base)
    return BackdoorScreen(
        **base | {"patches": (*patches, *by_search)},
        reason=None if count >= FEWEST else f"a patch is small beside those of {FEWEST} classes, and there are {count}",
        classes=triggers.classes,
        sizes=triggers.sizes,
        anomalies=anomalies(triggers.sizes),
        fitted=len(fit),
        suspected=tuple(sorted(suspected | {patch.target for patch in by_search})),
    )


def _pixels(network: WhiteBox) -> tuple[int, int]:
    shape = network.spec.raw_shape
    return (shape[0], shape[1]) if network.spec.preprocess else (shape[1], shape[2])


def _in_data(network: WhiteBox, samples: Samples, values: Tensor, labels: Array, answers: Tensor) -> tuple[Patch, ...]:
    """Patches that samples of one class carry, and that flip others to it."""
    array = samples.inputs[network.name]
    pictures = array if network.spec.preprocess else array.transpose(0, 2, 3, 1)
    patches = (_tried(network, values, answers, one) for one in common_patches(pictures, labels))
    return tuple(patch for patch in patches if patch.pasted >= ENOUGH and patch.share >= FLIPS)


def _tried(network: WhiteBox, values: Tensor, answers: Tensor, one: CommonPatch) -> Patch:
    """Put the square of a candidate into samples that are answered otherwise, and count those that flip."""
    import torch

    others = _others(answers, one.target, one.samples)
    pasted = values[others].clone()
    content = torch.from_numpy(one.content.astype(np.float32))
    rows, columns = slice(one.row, one.row + one.side), slice(one.column, one.column + one.side)
    if network.spec.preprocess:
        pasted[:, rows, columns] = content
    else:
        pasted[:, :, rows, columns] = content.permute(2, 0, 1)
    flips = int((network.answers(pasted) == one.target).sum()) if others else 0
    return Patch(
        target=one.target,
        row=one.row,
        column=one.column,
        height=one.side,
        width=one.side,
        pixels=float(one.side**2),
        flips=flips,
        pasted=len(others),
        samples=one.samples,
    )


def _others(answers: Tensor, target: int, without: tuple[int, ...]) -> list[int]:
    """Indices of at most PASTED samples that are answered by another class, and are none of `without`."""
    others = sorted(set(np.flatnonzero(answers.numpy() != target).tolist()) - set(without))
    return [others[i] for i in spread(len(others), min(PASTED, len(others)))]


def _searched(network: WhiteBox, values: Tensor, count: int, bounds: InputRange) -> tuple[list[int], Triggers]:
    """Indices of the samples that patches were optimised on, and the smallest patch of each class."""
    import torch

    from edgekit.passes.adversarial.trigger_search import STEPS, find_triggers
    from edgekit.passes.pruning.compute_cost import macs

    if bounds.width == 0:
        raise PassError("all inputs are one value")
    cost = 3 * macs(network.model.module, (torch.from_numpy(network.raw(values[:1], bounds)),))[""]
    pairs = WORK / max(cost, 1.0) / STEPS
    fitted = min(FITTED, len(values), max(FEW_FITTED, int(pairs / min(count, MOST_CLASSES))))
    classes = spread(count, min(count, MOST_CLASSES, max(FEWEST, int(pairs / fitted))))
    fit = spread(len(values), fitted)
    return fit, find_triggers(network, values[fit], tuple(classes), bounds)


def _outliers(
    network: WhiteBox, values: Tensor, answers: Tensor, fit: list[int], triggers: Triggers, bounds: InputRange
) -> tuple[Patch, ...]:
    """Patches much smaller than those of the other classes, which flip samples that they were not optimised on."""
    import torch

    from edgekit.passes.adversarial.trigger_search import stamp

    patches = []
    for place in outlying(triggers.sizes):
        target, mask = triggers.classes[place], triggers.masks[place]
        others = _others(answers, target, tuple(fit))
        if len(others) < ENOUGH:
            continue
        axis = 2 if network.spec.preprocess else 0
        masks = torch.from_numpy(np.expand_dims(mask, axis)[None])
        stamped = stamp(values[others], masks, torch.from_numpy(triggers.patterns[place][None]))[0]
        flips = int(
            (network.answers(torch.from_numpy(network.raw(stamped, bounds).astype(np.float32))) == target).sum()
        )
        rows, columns = np.nonzero(mask >= min(COVERED, float(mask.max())))
        patch = Patch(
            target=target,
            row=int(rows.min()),
            column=int(columns.min()),
            height=int(np.ptp(rows)) + 1,
            width=int(np.ptp(columns)) + 1,
            pixels=triggers.sizes[place],
            flips=flips,
            pasted=len(others),
        )
        if patch.share >= FLIPS:
            patches.append(patch)
    return tuple(patches)
