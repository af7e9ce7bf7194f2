"""Detectors and pairs: heads of SSD, YOLO v8 and YOLO-FastestV2, and a siamese network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from scripts.coverage_table.architecture import Architecture
from scripts.coverage_table.architectures.mobile import Activation, unit
from scripts.coverage_table.samples import Arrays, digits, photographs

CLASSES, ANCHORS = 3, 3


class Backbone(nn.Module):
    """Maps of strides 8 and 16."""

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        self.fine = nn.Sequential(
            unit(3, 12, 3, 2, 1, activation), unit(12, 24, 3, 2, 1, activation), unit(24, 48, 3, 2, 1, activation)
        )
        self.coarse = unit(48, 64, 3, 2, 1, activation)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        fine = self.fine(x)
        return fine, self.coarse(fine)


class SSD(nn.Module):
    """Offsets [N, A, 4] and scores [N, A, CLASSES + 1] of anchors on both maps."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone(nn.ReLU6)
        self.boxes = nn.ModuleList(nn.Conv2d(width, 4 * ANCHORS, 3, padding=1) for width in (48, 64))
        self.scores = nn.ModuleList(nn.Conv2d(width, (CLASSES + 1) * ANCHORS, 3, padding=1) for width in (48, 64))

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        maps = self.backbone(image)
        boxes = [head(each).permute(0, 2, 3, 1).flatten(1) for head, each in zip(self.boxes, maps, strict=True)]
        scores = [head(each).permute(0, 2, 3, 1).flatten(1) for head, each in zip(self.scores, maps, strict=True)]
        joined = torch.cat(scores, 1).reshape(len(image), -1, CLASSES + 1).softmax(-1)
        return torch.cat(boxes, 1).reshape(len(image), -1, 4), joined


class Yolo(nn.Module):
    """Head of YOLO v8, decoded in the graph: [N, 4 + CLASSES, A]."""

    bins: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.backbone = Backbone(nn.SiLU)
        self.up, self.back = nn.Upsample(scale_factor=2), unit(48 + 64, 48, 1, 1, 1, nn.SiLU)
        self.heads = nn.ModuleList(nn.Conv2d(width, 32 + CLASSES, 1) for width in (48, 64))
        self.register_buffer("bins", torch.arange(8, dtype=torch.float32).reshape(1, 1, 8, 1))

    def forward(self, image: Tensor) -> Tensor:
        fine, coarse = self.backbone(image)
        maps = (self.back(torch.cat([fine, self.up(coarse)], 1)), coarse)
        rows = torch.cat([head(each).flatten(2) for head, each in zip(self.heads, maps, strict=True)], 2)
        sides, scores = rows[:, :32], rows[:, 32:]
        low, high = (sides.reshape(len(image), 4, 8, -1).softmax(2) * self.bins).sum(2).chunk(2, 1)
        return torch.cat([high - low, high + low, scores.sigmoid()], 1)


class Shuffle(nn.Module):
    """Unit of ShuffleNetV2: half of the channels through a bottleneck, then the halves mixed."""

    def __init__(self, width: int) -> None:
        super().__init__()
        half = width // 2
        self.body = nn.Sequential(
            unit(half, half, 1, 1, 1, nn.ReLU),
            unit(half, half, 3, 1, half, nn.Identity),
            unit(half, half, 1, 1, 1, nn.ReLU),
        )

    def forward(self, x: Tensor) -> Tensor:
        one, other = x.chunk(2, 1)
        joined = torch.stack([one, self.body(other)], 2)
        return joined.flatten(1, 2)


class FastestV2(nn.Module):
    """YOLO-FastestV2: shuffled backbone, depthwise 5 × 5 heads; boxes, objectness and classes of two levels."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone, self.mix = Backbone(nn.ReLU), nn.ModuleList((Shuffle(48), Shuffle(64)))
        self.narrow = nn.ModuleList((unit(48 + 64, 36, 1, 1, 1, nn.ReLU), unit(64, 36, 1, 1, 1, nn.ReLU)))
        self.heads = nn.ModuleList(
            nn.Sequential(unit(36, 36, 5, 1, 36, nn.ReLU), unit(36, 36, 1, 1, 1, nn.Identity)) for _ in range(2)
        )
        self.boxes, self.objects = nn.Conv2d(36, 4 * ANCHORS, 1), nn.Conv2d(36, ANCHORS, 1)
        self.classes = nn.Conv2d(36, CLASSES, 1)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        fine, coarse = (mix(each) for mix, each in zip(self.mix, self.backbone(image), strict=True))
        large = nn.functional.interpolate(coarse, scale_factor=2.0)
        maps = (self.narrow[0](torch.cat([fine, large], 1)), self.narrow[1](coarse))
        features = [(self.heads[0](each), self.heads[1](each)) for each in maps]
        return tuple(
            head(part)
            for boxes, kinds in features
            for head, part in ((self.boxes, boxes), (self.objects, kinds), (self.classes, kinds))
        )


class Siamese(nn.Module):
    """One tower for two scans, both embeddings of length 1."""

    def __init__(self) -> None:
        super().__init__()
        self.tower = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, 2, 1), nn.ReLU(), nn.Flatten(),
            nn.Linear(32 * 16, 64), nn.ReLU(), nn.Linear(64, 16),
        )  # fmt: skip

    def forward(self, left: Tensor, right: Tensor) -> tuple[Tensor, Tensor]:
        first, second = (nn.functional.normalize(self.tower(each), dim=1) for each in (left, right))
        return first, second


def pairs(count: int, seed: int) -> Arrays:
    """Two scans of digits, float32 [N, 1, 8, 8] each."""
    scans = digits(8, 1)(2 * count, seed)["image"]
    return {"left": scans[0::2], "right": scans[1::2]}


ARCHITECTURES = (
    Architecture("ssd", "two maps, 3 anchors, 64 × 64", SSD, photographs(64)),
    Architecture("yolo-v8", "two maps, boxes decoded in the graph, 64 × 64", Yolo, photographs(64)),
    Architecture("yolo-fastest-v2", "two maps, six outputs, shared heads, 64 × 64", FastestV2, photographs(64)),
    Architecture("siamese", "one tower called twice, two outputs, 8 × 8", Siamese, pairs),
)
