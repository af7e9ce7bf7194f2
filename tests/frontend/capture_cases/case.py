"""Case: a network that cannot be captured or lowered, with the rewrite that the hint tells."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

TOML = """
[model]
factory = "model.py:net"

[inputs.x]
shape = [3, 8]

[data]
evaluation = { path = "data.npz", licence = "made here", source = "random numbers" }
"""
NETWORK = """
import copy
import math
import pickle
import random
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(8, 8)
{init}

    def forward(self, x{arguments}):
{forward}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.head = Head()

    def forward(self, *inputs):
        return self.head(*inputs)


def net():
    torch.manual_seed(0)
    return Net().eval()
"""


@dataclass(frozen=True)
class Case:
    """A construct, a forward that has it, and one without it that answers the same."""

    key: str
    forward: str
    rewrite: str
    line: str = ""
    """Text of the line that the message names, if it is not the whole first line of `forward`."""
    hint: str = ""
    """Part of the hint."""
    init: str = ""
    rewrite_init: str | None = None
    """Another `__init__` for the rewrite; None for the same."""
    top: str = ""
    """Code above the classes."""
    arguments: str = ""
    """Arguments of the failing forward behind `x`."""
    stage: Literal["load", "capture", "lower"] = "capture"
    code: str = "EK203"

    def failing(self) -> str:
        return self.top + _network(self.init, self.forward, self.arguments)

    def rewritten(self) -> str:
        init = self.init if self.rewrite_init is None else self.rewrite_init
        return self.top + _network(init, self.rewrite, "")


def _network(init: str, forward: str, arguments: str) -> str:
    indented = [textwrap.indent(textwrap.dedent(text).strip("\n"), " " * 8) for text in (init, forward)]
    return NETWORK.format(init=indented[0], forward=indented[1], arguments=arguments)


GRU = "self.gru = nn.GRU(8, 4, batch_first=True)"
