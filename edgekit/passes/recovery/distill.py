"""Knowledge distillation: training a student on its teacher's outputs and features, and on labels.

Hinton et al. 2015.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils import _pytree as pytree

from edgekit.errors import PassError, UnknownName, suggest
from edgekit.specs.compression import Recover


def leaves(module: Callable[..., object], inputs: Sequence[Tensor]) -> list[Tensor]:
    """Floating-point outputs of `module`, in float32."""
    return [leaf.float() for leaf in pytree.tree_leaves(module(*inputs)) if leaf.is_floating_point()]


def classifies(outputs: Sequence[Tensor], labels: Tensor) -> bool:
    """True for a classifier: one output [N, classes], and labels int [N]."""
    return len(outputs) == 1 and outputs[0].ndim == 2 and labels.ndim == 1 and not labels.is_floating_point()


def label_loss(outputs: Sequence[Tensor], labels: Tensor) -> Tensor | None:
    """Cross-entropy for classes, mean squared error for targets of the output's shape, None for anything else."""
    if classifies(outputs, labels):
        return F.cross_entropy(outputs[0], labels)
    if len(outputs) == 1 and labels.is_floating_point() and outputs[0].numel() == labels.numel():
        return F.mse_loss(outputs[0], labels.float().reshape(outputs[0].shape))
    return None


def distillation_loss(
    outputs: Sequence[Tensor], expected: Sequence[Tensor], classes: bool, temperature: float
) -> Tensor:
    """Distance of the student's outputs from the teacher's, `expected`.

    For a classifier (`classes`): the KL divergence of softened probabilities, times the square of the temperature,
    which keeps its gradients as large as those of the labels (Hinton et al. 2015, section 2). Else: the squared error
    over the mean square of the teacher's outputs.
    """
    if classes:
        student, teacher = (F.log_softmax(one[0] / temperature, 1) for one in (outputs, expected))
        return F.kl_div(student, teacher, log_target=True, reduction="batchmean") * temperature**2
    return torch.stack([_relative_error(*pair) for pair in zip(outputs, expected, strict=True)]).mean()


def _relative_error(actual: Tensor, expected: Tensor) -> Tensor:
    """Mean squared error over the mean square of `expected`."""
    return F.mse_loss(actual.float(), expected.float()) / expected.float().square().mean().clamp(min=1e-12)


@dataclass(frozen=True)
class Distillation:
    """Student, teacher, and the loss between them. Made by `distilling`."""

    student: nn.Module
    teacher: nn.Module
    recipe: Recover
    student_features: Mapping[str, Tensor]
    teacher_features: Mapping[str, Tensor]

    def loss(self, inputs: Sequence[Tensor], labels: Tensor) -> Tensor:
        """Loss of one batch, with gradients: distances from the teacher and the labels, mixed by the recipe."""
        recipe = self.recipe
        with torch.autocast("cpu", torch.bfloat16, enabled=recipe.precision == "bfloat16"):
            with torch.no_grad():
                expected = leaves(self.teacher, inputs)
            outputs = leaves(self.student, inputs)
        follow = distillation_loss(outputs, expected, classifies(outputs, labels), recipe.temperature)
        right = label_loss(outputs, labels)
        total = follow if right is None else recipe.distill * follow + (1 - recipe.distill) * right
        for name, feature in self.student_features.items():
            total = total + recipe.distill * _relative_error(feature, self.teacher_features[name])
        return total


@contextmanager
def distilling(
    student: nn.Module, teacher: nn.Module, recipe: Recover, example: Sequence[Tensor]
) -> Iterator[Distillation]:
    """Distillation of `teacher` into `student`; records the features that the recipe names while the context lasts.

    example: inputs of one call. Raises UnknownName if the network has no module of a feature's name, PassError if the
    student's feature is of another shape than the teacher's.
    """
    mine: dict[str, Tensor] = {}
    theirs: dict[str, Tensor] = {}
    hooks = [
        _named(network, name).register_forward_hook(_keep(name, kept))
        for network, kept in ((student, mine), (teacher, theirs))
        for name in recipe.features
    ]
    try:
        if hooks:
            with torch.no_grad():
                student(*example), teacher(*example)
        for name in recipe.features:
            if mine[name].shape != theirs[name].shape:
                raise PassError(
                    f"[recover] features: '{name}' was pruned, {list(theirs[name].shape)} to {list(mine[name].shape)}",
                    hint=f'[prune] skip = ["{name}"], or take it out of [recover] features',
                )
        yield Distillation(student, teacher, recipe, mine, theirs)
    finally:
        for hook in hooks:
            hook.remove()


def _named(network: nn.Module, name: str) -> nn.Module:
    names = [known.removeprefix("model.") for known, _ in network.named_modules() if known.startswith("model.")]
    if name not in names:
        raise UnknownName(
            f"[recover] features: no module of the network is named '{name}'",
            hint=suggest(name, names, "names are those of torch's named_modules()"),
        )
    return network.get_submodule(f"model.{name}")


def _keep(name: str, kept: dict[str, Tensor]) -> Callable[..., None]:
    def hook(_module: nn.Module, _inputs: object, output: object) -> None:
        kept[name] = pytree.tree_leaves(output)[0]

    return hook
