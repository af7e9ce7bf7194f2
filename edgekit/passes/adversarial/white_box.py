"""The float network as a function of its raw inputs that can be differentiated: scores, and their gradient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from edgekit.errors import PassError
from edgekit.ir.measurement import Array
from edgekit.samples import Samples
from edgekit.specs.inputs import Input

if TYPE_CHECKING:
    from edgekit.frontend.load import Model

CLASSIFICATION = "classification"


@dataclass(frozen=True)
class InputRange:
    """Values that an input takes, as seen on samples."""

    low: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low


@dataclass(frozen=True)
class WhiteBox:
    """A classifier of one input of real numbers or pixels, with its preprocessing inside."""

    model: Model
    name: str
    """Name of the input."""
    spec: Input

    @classmethod
    def of(cls, model: Model) -> WhiteBox:
        """Raises PassError, which says why, for a network whose answers no gradient at its input tells."""
        project = model.project
        if project.model.task != CLASSIFICATION:
            raise PassError(f"gradients are taken of class scores, and the task is '{project.model.task}'")
        if len(project.inputs) != 1 or project.state or project.lengths:
            raise PassError("gradients are taken at one input of one size, without state")
        [(name, spec)] = project.inputs.items()
        if spec.raw_dtype not in ("uint8", "float32") or (spec.raw_dtype == "uint8" and not spec.preprocess):
            raise PassError(f"'{name}' is {spec.raw_dtype}, which nothing can be added to in small steps")
        return cls(model, name, spec)

    @property
    def whole_numbers(self) -> bool:
        """True if the input takes whole numbers only: what is added is rounded."""
        return self.spec.raw_dtype == "uint8"

    def values(self, samples: Samples) -> Tensor:
        """Raw inputs as float32 [N, …], from 0 to 255 where they are pixels."""
        return torch.from_numpy(np.array(samples.inputs[self.name], np.float32))

    def raw(self, values: Tensor, bounds: InputRange) -> Array:
        """Inputs as the artifact takes them: within `bounds`, rounded where they are whole numbers."""
        clipped = values.detach().clamp(bounds.low, bounds.high)
        array = (clipped.round() if self.whole_numbers else clipped).numpy()
        return np.ascontiguousarray(array.astype(self.spec.raw_dtype))

    def bounds(self, samples: Samples) -> InputRange:
        """Least and greatest value of the samples."""
        array = samples.inputs[self.name]
        return InputRange(float(array.min()), float(array.max()))

    def scores(self, values: Tensor) -> Tensor:
        """Class scores [N, classes] of float32 raw inputs [N, …].

        Raises PassError if the network does not take so many samples at once, or its scores are no [N, classes].
        """
        try:
            result = pytree.tree_leaves(self.model.module(values))[0]
        except (RuntimeError, ValueError, IndexError, AssertionError) as error:
            raise PassError(f"the network does not take {len(values)} samples at once: {error}") from error
        if not isinstance(result, Tensor) or result.ndim != 2 or len(result) != len(values):
            raise PassError("the first output of the network is no [samples, classes]")
        return result

    def answers(self, values: Tensor, batch: int = 64) -> Tensor:
        """Class of the highest score, int64 [N]."""
        with torch.no_grad():
            parts = [self.scores(values[i : i + batch]).argmax(1) for i in range(0, len(values), batch)]
        return torch.cat(parts)

    def gradient(self, loss: Tensor, at: list[Tensor]) -> list[Tensor]:
        """Gradient of a loss. Raises PassError where the network's forward cuts it off."""
        try:
            return list(torch.autograd.grad(loss, at))
        except RuntimeError as error:
            raise PassError(f"the network's forward has no gradient at its input: {error}") from error
