"""Networks whose layers compute their weights, or read one weight twice, for training and pruning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune

from edgekit.frontend.load import Model
from edgekit.frontend.preprocess import Deployed
from edgekit.specs.project import Project
from tests.networks import write_project


class Standardized(nn.Conv2d):
    """Weight standardization (Qiao et al. 2019)."""

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight - self.weight.mean((1, 2, 3), keepdim=True)
        return F.conv2d(x, weight / (weight.std((1, 2, 3), keepdim=True) + 1e-5), self.bias, padding=self.padding)


def convolution(inputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, 8, 3, padding=1, bias=False)


l1_unstructured: Callable[..., nn.Module] = prune.l1_unstructured
COMPUTED: dict[str, Callable[[int], nn.Module]] = {
    "weight norm": lambda inputs: parametrizations.weight_norm(convolution(inputs)),
    "weight norm, by hook": lambda inputs: nn.utils.weight_norm(convolution(inputs)),
    "spectral norm": lambda inputs: parametrizations.spectral_norm(convolution(inputs)),
    "spectral norm, by hook": lambda inputs: nn.utils.spectral_norm(convolution(inputs)),
    "pruning mask": lambda inputs: l1_unstructured(convolution(inputs), "weight", amount=0.3),
    "weight standardization": lambda inputs: Standardized(inputs, 8, 3, padding=1),
}


class Net(nn.Module):
    """Two convolutions with batch norms, and a head."""

    def __init__(self, conv: Callable[[int], nn.Module] = convolution) -> None:
        super().__init__()
        self.stem, self.stem_bn = conv(3), nn.BatchNorm2d(8)
        self.conv, self.bn = conv(8), nn.BatchNorm2d(8)
        self.head = nn.Linear(8, 4)

    def features(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem_bn(self.stem(x)))
        return F.relu(self.bn(self.conv(x))).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(self.features(x))
        return output


class Siamese(Net):
    """One branch, twice."""

    def forward(self, x: Tensor) -> Tensor:
        output: Tensor = self.head(self.features(x) - self.features(x.flip(3) * 0.5))
        return output


class Writing(Net):
    """Writes into its input, and into a part of a value."""

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.stem_bn(self.stem(F.relu(x.sub_(0.1), inplace=True))))
        y[:, :1] *= 2
        y[:, 1] = 1.0
        output: Tensor = self.head(F.relu(self.bn(self.conv(y))).mean((2, 3)))
        return output


class Again(Net):
    """One convolution under two names, behind different batch norms, one of them without weights."""

    def __init__(self) -> None:
        super().__init__()
        self.again, self.plain = self.conv, nn.BatchNorm2d(8, affine=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem_bn(self.stem(x)))
        output: Tensor = self.head(F.relu(self.bn(self.conv(x)) + self.plain(self.again(x))).mean((2, 3)))
        return output


class Transposed(Net):
    """A transposed convolution in groups, before a batch norm."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(8, 8, 3, groups=2)


def settled(network: nn.Module) -> nn.Module:
    """`network` after it has seen something in training, in evaluation."""
    for part in network.modules():
        if isinstance(part, nn.BatchNorm2d) and part.affine:
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.uniform_(part.bias, -0.5, 0.5)
    with torch.no_grad():
        for _ in range(3):
            network.train()(torch.rand(32, 3, 8, 8) - 0.5)
    return network.eval()


def computed_model(make: Callable[[], nn.Module], folder: Path) -> Model:
    """A settled network as a model on uint8 [1, 8, 8, 3]; the same each time."""
    torch.manual_seed(0)
    project = Project.read(write_project(folder))
    model = Model(Deployed(settled(make()), project.inputs).eval(), project, (torch.zeros(1, 8, 8, 3).byte(),))
    with torch.no_grad():
        model.module(*model.examples)
    return model
