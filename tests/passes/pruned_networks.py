"""Networks to prune: each has something that a careless pruning breaks."""

from __future__ import annotations

from pathlib import Path

from edgekit.frontend.load import Model, load
from edgekit.specs.project import Project
from tests.networks import TOML, write_project

RESIDUAL = """
import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.widening = outputs - inputs

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.widening:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.widening // 2, self.widening // 2))
        return F.relu(x + y)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.narrow = Block(16, 16, 1)
        self.wide = Block(16, 32, 2)
        self.head = nn.Linear(32, 4)

    def forward(self, x):
        return self.head(self.wide(self.narrow(F.relu(self.stem(x)))).mean((2, 3)))


def net():
    torch.manual_seed(0)
    return Net().eval()
"""
"""A shortcut that counts channels for itself, as in ResNet-20."""

SEPARABLE = """
import torch
from torch import nn


class Gate(nn.Module):
    def __init__(self):
        super().__init__()
        self.down, self.up = nn.Conv2d(32, 8, 1), nn.Conv2d(8, 32, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(torch.relu(self.down(x.mean((2, 3), keepdim=True)))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, padding=1)
        self.expand = nn.Conv2d(16, 32, 1)
        self.depthwise = nn.Sequential(nn.Conv2d(32, 32, 3, padding=1, groups=32, bias=False), nn.BatchNorm2d(32))
        self.gate = Gate()
        self.project = nn.Conv2d(32, 16, 1)
        self.left, self.right = nn.Conv2d(16, 16, 3, 2, 1), nn.Conv2d(16, 16, 1, 2)
        self.mix = nn.Conv2d(32, 16, 1)
        self.hidden = nn.Linear(16 * 16, 24)
        self.head = nn.Linear(24, 4)

    def forward(self, x):
        x = torch.relu(self.stem(x))
        x = x + self.project(self.gate(nn.functional.hardswish(self.depthwise(self.expand(x)))))
        x = self.mix(torch.cat((self.left(x), self.right(x)), 1)).flatten(1)
        return self.head(torch.relu(self.hidden(x)))


def net():
    torch.manual_seed(0)
    return Net().eval()
"""
"""Depthwise convolution, squeeze-excite, concatenation, and a linear layer over flattened channels."""

TRANSFORMER = """
import torch
from torch import nn


class Attention(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.num_heads, self.head_dim, self.inner = heads, dim // heads, dim
        self.qkv, self.proj = nn.Linear(dim, 3 * dim), nn.Linear(dim, dim)

    def forward(self, x):
        batch, count, _ = x.shape
        qkv = self.qkv(x).reshape(batch, count, 3, self.num_heads, self.head_dim).permute(2, 0, 3, 1, 4)
        x = nn.functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        return self.proj(x.transpose(1, 2).reshape(batch, count, self.inner))


class Layer(nn.Module):
    def __init__(self, dim):
        super().__init__()
        self.norm1, self.attention = nn.LayerNorm(dim), Attention(dim, 4)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        x = x + self.attention(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 2, 2)
        self.token = nn.Parameter(torch.randn(1, 1, 32))
        self.place = nn.Parameter(torch.randn(1, 17, 32))
        self.layers = nn.Sequential(Layer(32), Layer(32))
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 4)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat((self.token.expand(len(x), -1, -1), x), 1) + self.place
        return self.head(self.norm(self.layers(x))[:, 0])


def net():
    torch.manual_seed(0)
    return Net().eval()
"""
"""A small vision transformer (Dosovitskiy et al. 2020)."""


def made(folder: Path, model: str) -> Model:
    return load(Project.read(write_project(folder, model, TOML)))
