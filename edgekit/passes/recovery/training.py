"""Training loop: stochastic gradient descent on a distillation loss, within a budget, from checkpoint to checkpoint."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from edgekit.errors import PassError
from edgekit.passes.pruning import sparsity
from edgekit.passes.recovery.checkpoint import Checkpoint, Progress, ValidationScore, copied, read
from edgekit.passes.recovery.distill import Distillation, classifies, distillation_loss, label_loss, leaves
from edgekit.passes.recovery.split import Split
from edgekit.specs.compression import Recover
from edgekit.specs.factory import in_a_line

MOMENTUM = 0.9
"""Nesterov momentum of the optimizer."""
WARM_UP = 0.15
"""Share of the budget in which the learning rate rises; then it falls to zero along a cosine (Smith and Topin 2018)."""
EXPLODED = 20.0
"""Ratio of the loss to that of the first steps beyond which training counts as diverged."""
FIRST = 20
"""Number of first steps whose mean loss is the measure of divergence."""
EVALUATED = 250
"""Samples in a batch of the validation split."""
QUIET_S = 0.4
"""Shortest time between two reports of progress, in seconds."""


@dataclass(frozen=True)
class Trained:
    """Result of a training."""

    best: Mapping[str, Tensor]
    """State dict of the network at the epoch with the best validation score."""
    before: ValidationScore
    """Score before training."""
    progress: Progress


@dataclass(frozen=True)
class Training:
    """Training of the student of a distillation, which is changed in place; nothing else is."""

    distillation: Distillation
    recipe: Recover
    training: Split
    validation: Split
    masks: Mapping[str, Tensor]
    """Masks by parameter name, False at weights that stay zero."""
    folder: Path
    """Folder of the checkpoint."""
    name: str
    """Name that tells this training from others whose checkpoint may lie in the folder."""
    tell: Callable[[str], None]
    """Callback that receives progress in words."""
    train_mode: Callable[[nn.Module], object] = nn.Module.train
    eval_mode: Callable[[nn.Module], object] = nn.Module.eval
    """Callbacks that put the student into training and evaluation mode."""

    def run(self) -> Trained:
        """Train until the budget is spent, or the loss diverges; continue from the checkpoint if there is one.

        With a budget in epochs the result is the same, interrupted or not, on the same number of threads: random draws
        depend on the seed and the number of the epoch only.
        """
        student = self.distillation.student
        optimizer = torch.optim.SGD(
            [value for value in student.parameters() if value.requires_grad],
            lr=self.recipe.learning_rate,
            momentum=MOMENTUM,
            nesterov=True,
            weight_decay=self.recipe.weight_decay,
        )
        before = self.score()
        progress = Progress(0, 0, 0.0, before, math.nan)
        best = copied(student.state_dict())
        checkpoint = read(self.folder, self.name)
        if checkpoint:
            progress, best = checkpoint.progress, checkpoint.part("best")
            student.load_state_dict(checkpoint.part("now"))
            for name, value in checkpoint.part("momentum").items():
                optimizer.state[student.get_parameter(name)]["momentum_buffer"] = value
            self.tell(f"goes on after epoch {progress.epochs}")
        while not progress.ended:
            progress = self._epoch(optimizer, progress)
            if not progress.ended.startswith("diverged"):
                progress, best = self._judged(progress, best)
            tensors = {f"now.{name}": value for name, value in student.state_dict().items()}
            tensors |= {f"best.{name}": value for name, value in best.items()}
            tensors |= {f"momentum.{name}": value for name, value in _momentum(optimizer, student).items()}
            Checkpoint(progress, tensors).write(self.folder, self.name)
        self.tell(f"{progress.ended}; the best is {_shown(progress.best)}, before it was {_shown(before)}")
        return Trained(best, before, progress)

    def score(self) -> ValidationScore:
        """Score of the student on the validation split, in evaluation mode."""
        self.eval_mode(self.distillation.student)
        right, losses = 0.0, 0.0
        bfloat = self.recipe.precision == "bfloat16"
        for inputs, labels in self.validation.in_order(EVALUATED):
            with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat):
                outputs = leaves(self.distillation.student, inputs)
            loss = label_loss(outputs, labels)
            if loss is None:
                with torch.no_grad():
                    loss = distillation_loss(outputs, leaves(self.distillation.teacher, inputs), False, 1.0)
            losses += float(loss) * len(labels)
            if classifies(outputs, labels):
                right += float((outputs[0].argmax(1) == labels).sum())
            else:
                right -= float(loss) * len(labels)
        return ValidationScore(right / len(self.validation), losses / len(self.validation))

    def _epoch(self, optimizer: torch.optim.SGD, progress: Progress) -> Progress:
        """Train for one epoch, or until the budget is spent."""
        started, reported = time.monotonic(), 0.0
        random = torch.Generator().manual_seed(self.recipe.seed * 1_000_003 + progress.epochs)
        self.train_mode(self.distillation.student)
        smooth = progress.first_loss
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed * 1_000_003 + progress.epochs)  # for dropout
            for batches in self._steps(random):
                elapsed = progress.seconds + time.monotonic() - started
                spent = self._spent(progress.steps, elapsed)
                if spent >= 1:
                    break
                loss = self._step(optimizer, batches, spent, random)
                progress = replace(progress, steps=progress.steps + 1, first_loss=_first(progress, loss))
                smooth = loss if math.isnan(smooth) else 0.9 * smooth + 0.1 * loss
                if not math.isfinite(loss) or smooth > EXPLODED * max(progress.first_loss, 1.0):
                    seconds = progress.seconds + time.monotonic() - started
                    return replace(progress, seconds=seconds, ended=f"diverged in epoch {progress.epochs + 1}")
                if time.monotonic() - reported > QUIET_S:
                    reported = time.monotonic()
                    self.tell(self._standing(progress, smooth, elapsed))
        return replace(progress, epochs=progress.epochs + 1, seconds=progress.seconds + time.monotonic() - started)

    def _judged(self, progress: Progress, best: dict[str, Tensor]) -> tuple[Progress, dict[str, Tensor]]:
        """Validate after an epoch: update the best weights, and decide if it was the last."""
        started = time.monotonic()
        score = self.score()
        if not math.isfinite(score.loss):
            return replace(progress, ended=f"diverged in epoch {progress.epochs}"), best
        if score.beats(progress.best):
            progress, best = replace(progress, best=score), copied(self.distillation.student.state_dict())
        progress = replace(progress, seconds=progress.seconds + time.monotonic() - started)
        if self._spent(progress.steps, progress.seconds) >= 1:
            progress = replace(progress, ended=f"trained for {progress.epochs} epochs")
        return progress, best

    def _steps(self, random: torch.Generator) -> Iterator[Sequence[Tensor]]:
        """Indices of the batches of every step of an epoch; the last samples, too few for a batch, are left out."""
        order = torch.randperm(len(self.training), generator=random)
        batches = torch.split(order, self._size)[: len(order) // self._size]
        for start in range(0, len(batches), self.recipe.accumulate):
            yield batches[start : start + self.recipe.accumulate]

    @property
    def _size(self) -> int:
        return min(self.recipe.batch, len(self.training))

    def _step(
        self, optimizer: torch.optim.SGD, batches: Sequence[Tensor], spent: float, random: torch.Generator
    ) -> float:
        """Update the weights once. Returns the mean loss; a loss that is not finite changes nothing."""
        for group in optimizer.param_groups:
            group["lr"] = self.recipe.learning_rate * rate(spent)
        total = 0.0
        optimizer.zero_grad(set_to_none=True)
        for indices in batches:
            inputs, labels = self.training.drawn(indices, self.recipe.augment, random)
            with _derivatives():
                loss = self.distillation.loss(inputs, labels) / len(batches)
            total += loss.item()
            if not math.isfinite(total):
                return total
            with _derivatives():
                torch.autograd.backward(loss)
        optimizer.step()
        sparsity.apply(self.distillation.student, self.masks)
        return total

    def _spent(self, steps: int, seconds: float) -> float:
        """Share of the budget that is spent; with two budgets, the larger of both shares."""
        recipe = self.recipe
        shares = [0.0]
        if recipe.epochs:
            shares.append(steps / (recipe.epochs * math.ceil(len(self.training) // self._size / recipe.accumulate)))
        if recipe.minutes:
            shares.append(seconds / (60 * recipe.minutes))
        return max(shares)

    def _standing(self, progress: Progress, loss: float, seconds: float) -> str:
        spent = self._spent(progress.steps, seconds)
        remaining = seconds / spent - seconds if spent else 0.0
        of = f" of {self.recipe.epochs}" if self.recipe.epochs else ""
        return (
            f"epoch {progress.epochs + 1}{of}, loss {loss:.3f}, best so far {_shown(progress.best)}, "
            f"{remaining // 60:.0f} min {remaining % 60:02.0f} s left"
        )


@contextlib.contextmanager
def _derivatives() -> Iterator[None]:
    """Raise PassError if torch cannot differentiate the loss: no_grad in forward, an operator without derivative …"""
    try:
        yield
    except RuntimeError as error:
        raise PassError(
            f"the network cannot be trained: {in_a_line(error)}",
            hint="leave [recover] out of the profile, or take what has no derivative (torch.no_grad …) out of forward",
        ) from error


def rate(spent: float) -> float:
    """Factor of the learning rate (one-cycle schedule) after the share `spent` of the budget, in [0, 1]."""
    if spent < WARM_UP:
        return max(spent / WARM_UP, 0.01)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (spent - WARM_UP) / (1 - WARM_UP))))


def _first(progress: Progress, loss: float) -> float:
    if progress.steps == 0:
        return loss
    if progress.steps >= FIRST:
        return progress.first_loss
    return (progress.first_loss * progress.steps + loss) / (progress.steps + 1)


def _shown(score: ValidationScore) -> str:
    return f"{score.value:.2%}" if score.value >= 0 else f"loss {score.loss:.4f}"


def _momentum(optimizer: torch.optim.SGD, student: nn.Module) -> dict[str, Tensor]:
    """Momentum buffers of the optimizer, by parameter name."""
    states = {name: optimizer.state.get(value, {}) for name, value in student.named_parameters()}
    return {name: state["momentum_buffer"] for name, state in states.items() if "momentum_buffer" in state}
