"""A small convolutional network for 8x8 grey scans of handwritten digits, ten classes.

Input: float32 [N, 1, 8, 8], pixels scaled and normalised as `edgekit.toml` says. Output: logits [N, 10].
"""

from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import relu

CLASSES = tuple("0123456789")
WEIGHTS = Path(__file__).with_name("weights.safetensors")


class Block(nn.Module):
    """Two convolutions and the way round them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        y = relu(self.bn1(self.conv1(x)))
        return relu(x + self.bn2(self.conv2(y)))


class Digits(nn.Module):
    """Stem, widen and halve, one residual block, mean over the scan, linear."""

    def __init__(self, stem: int = 16, width: int = 56) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, stem, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(stem)
        self.conv2 = nn.Conv2d(stem, width, 3, stride=2, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.block = Block(width)
        self.linear = nn.Linear(width, len(CLASSES))

    def forward(self, x: Tensor) -> Tensor:
        x = relu(self.bn1(self.conv1(x)))
        x = relu(self.bn2(self.conv2(x)))
        logits: Tensor = self.linear(self.block(x).mean((2, 3)))
        return logits


def digits() -> nn.Module:
    """The trained network, in evaluation mode."""
    model = Digits()
    model.load_state_dict(load_file(WEIGHTS))
    return model.eval()
