"""Networks that cannot be captured or lowered, one a construct, each with the rewrite that its hint tells."""

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
EXPERTS = "self.experts = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])"
SPECTRUM = """
a = 2 * torch.pi * torch.arange(8)[:, None] * torch.arange(5) / 8
self.register_buffer("c", a.cos())
self.register_buffer("s", a.sin())
"""

CASES = (
    # control flow
    Case(
        "branch",
        "if x.sum() > 0:\n    return x\nreturn -x",
        "return torch.where(x.sum() > 0, x, -x)",
        "if x.sum() > 0:",
        "write return torch.where(x.sum() > 0, x, -x)",
    ),
    Case(
        "branch",
        "return x.sin() if x.max() < 2 and not x.min() > 0 else x.cos()",
        "return torch.cond((x.max() < 2) & ~(x.min() > 0), lambda x: x.sin(), lambda x: x.cos(), (x,))",
        hint="write torch.where((x.max() < 2) & ~(x.min() > 0), x.sin(), x.cos())",
    ),
    Case(
        "branch",
        "n = x.max().item()\nif n > 1:\n    x = x / n\nreturn x",
        "n = x.max()\nx = torch.where(n > 1, x / n, x)\nreturn x",
        "if n > 1:",
        "torch.cond(",
    ),
    Case(
        "branch",
        "y = x * 2\nif y.mean() > 1:\n    y = y - 1\nelse:\n    y = y + 1\nreturn y",
        "y = x * 2\ny = torch.where(y.mean() > 1, y - 1, y + 1)\nreturn y",
        "if y.mean() > 1:",
        "write y = torch.where(y.mean() > 1, y - 1, y + 1)",
    ),
    Case(
        "while",
        "while x.abs().max() > 1:\n    x = x / 2\nreturn x",
        "for _ in range(8):\n    x = torch.where(x.abs().max() > 1, x / 2, x)\nreturn x",
        "while x.abs().max() > 1:",
        "for _ in range(8): x = torch.where(x.abs().max() > 1, x / 2, x)",
    ),
    Case(
        "counted-loop",
        "n = x[0, 0].argmax()\nfor i in range(n):\n    x = x + 1\nreturn x",
        "n = x[0, 0].argmax()\nfor i in range(8):\n    x = torch.where(i < n, x + 1, x)\nreturn x",
        "for i in range(n):",
        "for i in range(LARGEST): x = torch.where(i < n, x + 1, x)",
    ),
    Case(
        "loop-over-indices",
        "y = x.clone()\nfor i in torch.nonzero(x[0, 0] > 0):\n    y[0, 0, i] = 1\nreturn y",
        "mask = torch.arange(3)[:, None] == 0\nreturn torch.where(mask & (x > 0), 1, x)",
        "for i in torch.nonzero(x[0, 0] > 0):",
        "torch.where(mask, STEP, x)",
    ),
    Case(
        "recursion",
        "return halve(x)",
        "for _ in range(8):\n    x = torch.where(x.max() < 1, x, x / 2)\nreturn x",
        "return x if x.max() < 1 else halve(x / 2)",
        "for _ in range(8): x = torch.where(x.max() < 1, x, x / 2)",
        top="def halve(x):\n    return x if x.max() < 1 else halve(x / 2)\n",
    ),
    Case(
        "check",
        "if torch.isnan(x).any():\n    raise ValueError('not a number')\nreturn x + 1",
        "return x + 1",
        "if torch.isnan(x).any():",
        "delete the check",
    ),
    Case("assertion", "assert x.max() < 100, 'large'\nreturn x + 1", "return x + 1", "assert x.max() < 100", "delete"),
    Case("assertion", "torch._assert(x.max() < 100, '')\nreturn x + 1", "return x + 1", "torch._assert(", "delete"),
    Case(
        "distribution",
        "return torch.distributions.Normal(x, x.abs() + 1).log_prob(x)",
        "return torch.distributions.Normal(x, x.abs() + 1, validate_args=False).log_prob(x)",
        hint="validate_args=False",
    ),
    Case(
        "equality",
        "if torch.equal(x, x.abs()):\n    return x\nreturn x + 1",
        "same = (x == x.abs()).all()\nreturn torch.where(same, x, x + 1)",
        "if torch.equal(x, x.abs()):",
        "same = (a == b).all()",
    ),
    Case(
        "equality",
        "same = torch.allclose(x, x.abs())\nreturn x + same",
        "same = ((x - x.abs()).abs() < 1e-6).all()\nreturn x + same",
        "same = torch.allclose(x, x.abs())",
        "same = ((a - b).abs() < 1e-6).all()",
    ),
    Case(
        "python-order",
        "return torch.stack(sorted([x[:, 0, 0], x[:, 0, 1]]))",
        "return torch.stack([x[:, 0, 0], x[:, 0, 1]]).sort(0).values",
        hint="torch.stack([a, b]).sort().values",
    ),
    Case("python-order", "return x + max(x[0, 0])", "return x + x[0, 0].amax(0)", hint="row.amax(0)"),
    Case(
        "python-order",
        "s = x.max().item()\nreturn x / max(s, 1.0)",
        "return x / x.max().clamp(min=1.0)",
        "return x / max(s, 1.0)",
        "a.clamp(min=1.0)",
    ),
    Case(
        "python-any",
        "return x + 1 if any(row.sum() > 0 for row in x[0]) else x",
        "return torch.where((x[0].sum(-1) > 0).any(), x + 1, x)",
        hint="(x.sum(-1) > 0).any()",
    ),
    Case(
        "python-any",
        "rows = [torch.zeros(8), *filter(lambda row: row.sum() > 0, x[0])]\nreturn torch.stack(rows).sum(0)",
        "return torch.where((x[0].sum(-1) > 0)[:, None], x[0], 0).sum(0)",
        "filter(lambda row",
        "torch.where(KEEP[:, None], x, 0)",
    ),
    Case(
        "module-choice",
        "i = x[0].sum(1).argmax()\nreturn self.experts[i](x)",
        "i = x[0].sum(1).argmax()\n"
        "return torch.stack([expert(x) for expert in self.experts]).index_select(0, i.reshape(1)).squeeze(0)",
        "return self.experts[i](x)",
        "torch.stack([expert(x) for expert in self.experts]).index_select(0, i.reshape(1)).squeeze(0)",
        init=EXPERTS,
    ),
    Case(
        "choice",
        "i = x[0, 0].argmax()\nreturn x * self.scales[i]",
        "i = x[0, 0].argmax()\nreturn x * self.scales.index_select(0, i.reshape(1))",
        "return x * self.scales[i]",
        "self.scales.index_select(0, i.reshape(1))",
        init="self.scales = [float(i) for i in range(8)]",
        rewrite_init="self.register_buffer('scales', torch.tensor([float(i) for i in range(8)]))",
    ),
    Case(
        "choice",
        "i = x[0, 0].argmax().item()\nreturn x * self.scales[i]",
        "i = x[0, 0].argmax()\nreturn x * self.scales.index_select(0, i.reshape(1))",
        "return x * self.scales[i]",
        "self.register_buffer('scales', torch.tensor(",
        init="self.scales = {i: float(i) for i in range(8)}",
        rewrite_init="self.register_buffer('scales', torch.tensor([float(i) for i in range(8)]))",
    ),
    Case(
        "logic",
        "ok = x.max() < 2 and x.min() > -1\nreturn x * ok",
        "ok = (x.max() < 2) & (x.min() > -1)\nreturn x * ok",
        "ok = x.max() < 2 and x.min() > -1",
        "write & for 'and'",
    ),
    Case(
        "logic",
        "ok = x[0, 0].argmax() in [1, 2]\nreturn x * ok",
        "ok = torch.isin(x[0, 0].argmax(), torch.tensor([1, 2]))\nreturn x * ok",
        "ok = x[0, 0].argmax() in [1, 2]",
        "torch.isin(i, torch.tensor([1, 2]))",
    ),
    # values that leave the tensors
    Case(
        "constant-buffer",
        "if self.flag:\n    return x + 1\nreturn x",
        "if self.flag:\n    return x + 1\nreturn x",
        "if self.flag:",
        "self.flag = True in __init__",
        init="self.register_buffer('flag', torch.tensor(True))",
        rewrite_init="self.flag = True",
    ),
    Case(
        "constant-buffer",
        "return x[..., : int(self.steps)]",
        "return x[..., : self.steps]",
        hint="keep it as a Python number",
        init="self.register_buffer('steps', torch.tensor(2))",
        rewrite_init="self.steps = 2",
    ),
    Case(
        "shape-arithmetic",
        "return x.reshape(int(torch.tensor(x.shape).prod()))",
        "return x.reshape(x.numel())",
        hint="x.numel()",
    ),
    Case("float", "return x / float(x.abs().max())", "return x / x.abs().max()", hint="write return x / x.abs().max()"),
    Case("float", "return x * math.sqrt(x.max().abs())", "return x * torch.sqrt(x.max().abs())", hint="torch.sqrt"),
    Case(
        "int",
        "n = int(x[0, 0].argmax())\nreturn x[..., :n].sum(-1)",
        "n = x[0, 0].argmax()\nreturn torch.where(torch.arange(x.shape[-1]) < n, x, 0).sum(-1)",
        "n = int(x[0, 0].argmax())",
        "torch.where(torch.arange(x.shape[-1]) < n, x, 0)",
    ),
    Case(
        "int",
        "n = int(x[0, 0].argmax())\nreturn x[..., n]",
        "n = x[0, 0].argmax()\nreturn x.index_select(-1, n.reshape(1)).squeeze(-1)",
        "n = int(x[0, 0].argmax())",
        "x.index_select(-1, n.reshape(1)).squeeze(-1)",
    ),
    Case("bool", "return x * bool(x.max() > 0)", "return x * (x.max() > 0)", hint="write return x * (x.max() > 0)"),
    Case(
        "one-hot",
        "return F.one_hot(torch.cat([x[0].argmax(1), torch.tensor([7])])).float()",
        "labels = torch.cat([x[0].argmax(1), torch.tensor([7])])\n"
        "return (labels[..., None] == torch.arange(8)).float()",
        hint="num_classes=10",
    ),
    Case(
        "tensor-of-tensors",
        "return torch.tensor([x.max(), x.min()])",
        "return torch.stack([x.max(), x.min()])",
        hint="torch.stack([x.max(), x.min()])",
    ),
    Case("format", "print(f'{x.mean():.3f}')\nreturn x + 1", "return x + 1", "print(f'{x.mean():.3f}')", "delete"),
    Case("numpy", "return torch.from_numpy(np.tanh(x.numpy()))", "return torch.tanh(x)", hint="torch.tanh(x)"),
    Case("numpy", "return x * float(np.asarray(x).max())", "return x * x.amax()", hint="x.amax() for np.max"),
    Case("copy", "return copy.deepcopy(x) + 1", "return x.clone() + 1", hint="x.clone()"),
    Case("copy", "return pickle.loads(pickle.dumps(x)) + 1", "return x.clone() + 1", hint="x.clone()"),
    Case("memory", "return x + (x.data_ptr() == 0)", "return x + 0", hint="torch's own operators"),
    Case(
        "memory",
        "return torch.ops.house.twice(x)",
        "return 2 * x",
        hint="torch's own operators",
        top="import torch\n@torch.library.custom_op('house::twice', mutates_args=())\n"
        "def twice(x: torch.Tensor) -> torch.Tensor:\n    return 2 * x\n",
    ),
    # kinds of tensors
    Case(
        "nested",
        "y = torch.nested.nested_tensor([x[0], x[0, :2]])\nreturn torch.nested.to_padded_tensor(y, 0.0)",
        "return torch.nn.utils.rnn.pad_sequence([x[0], x[0, :2]], batch_first=True)",
        "y = torch.nested.nested_tensor(",
        "torch.nn.utils.rnn.pad_sequence([a, b], batch_first=True)",
    ),
    Case(
        "packed",
        "lengths = (x[..., 0] > 0).sum(1).clamp(min=1)\n"
        "p = nn.utils.rnn.pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)\n"
        "y, _ = self.gru(p)\n"
        "return nn.utils.rnn.pad_packed_sequence(y, batch_first=True, total_length=3)[0]",
        "lengths = (x[..., 0] > 0).sum(1).clamp(min=1)\n"
        "y, _ = self.gru(x)\n"
        "return torch.where((torch.arange(y.shape[1]) < lengths[:, None])[:, :, None], y, 0)",
        "y, _ = self.gru(p)",
        "torch.where((torch.arange(y.shape[1]) < lengths[:, None])[:, :, None], y, 0)",
        init=GRU,
    ),
    Case(
        "subclass",
        "return x.as_subclass(Boxes) + 1",
        "return x + 1",
        hint="keep plain tensors",
        top="import torch\nclass Boxes(torch.Tensor):\n    pass\n",
    ),
    Case(
        "data-attribute",
        "y = x.clone()\ny.data.mul_(2)\nreturn y + 1",
        "y = x * 2\nreturn y + 1",
        "y.data.mul_(2)",
        "x = x * 2",
    ),
    Case(
        "thread",
        "with ThreadPoolExecutor(1) as pool:\n    return pool.submit(self.linear, x).result()",
        "return self.linear(x)",
        "with ThreadPoolExecutor(1) as pool:",
        "call it: self.branch(x)",
    ),
    Case(
        "complex",
        "return torch.fft.rfft(x).abs()",
        "return ((x @ self.c) ** 2 + (x @ self.s) ** 2).sqrt()",
        hint="a = 2 * torch.pi",
        init=SPECTRUM,
        stage="lower",
        code="EK206",
    ),
    Case(
        "sparse",
        "return torch.sparse.mm(self.a, x[0])[None]",
        "return (self.a @ x[0])[None]",
        hint="self.register_buffer('a', a.to_dense())",
        init="self.register_buffer('a', torch.eye(3).to_sparse())",
        rewrite_init="self.register_buffer('a', torch.eye(3).to_sparse().to_dense())",
        stage="lower",
        code="EK206",
    ),
    # sizes
    Case(
        "boolean-mask",
        "return x[x > 0].sum()[None]",
        "return torch.where(x > 0, x, 0).sum()[None]",
        hint="torch.where(x > 0, x, 0)",
        stage="lower",
        code="EK206",
    ),
    Case(
        "boolean-mask",
        "y = torch.masked_select(x, x > 0)\nreturn (y.sum() / (x > 0).sum().clamp(min=1))[None]",
        "mask = x > 0\nreturn (torch.where(mask, x, 0).sum() / mask.sum().clamp(min=1))[None]",
        "y = torch.masked_select(x, x > 0)",
        "torch.where(mask, x, 0).sum() / mask.sum()",
        stage="lower",
        code="EK206",
    ),
    Case(
        "nonzero",
        "i = (x[0, 0] > 0).nonzero()[:, 0]\nreturn x[:, :, i].sum(-1)",
        "return torch.where(x[0, 0] > 0, x, 0).sum(-1)",
        "i = (x[0, 0] > 0).nonzero()[:, 0]",
        "torch.where(mask, x, 0)",
        stage="lower",
        code="EK206",
    ),
    Case(
        "unique",
        "labels = x.round().clamp(0, 3)\nreturn torch.unique(labels).sum()[None]",
        "labels = x.round().clamp(0, 3)\n"
        "present = (labels.flatten()[:, None] == torch.arange(4)).sum(0).clamp(max=1)\n"
        "return (present * torch.arange(4.0)).sum()[None]",
        "return torch.unique(labels).sum()[None]",
        "(labels.flatten()[:, None] == torch.arange(10)).sum(0)",
        stage="lower",
        code="EK206",
    ),
    Case(
        "repeat",
        "n = x[0].argmax(1)\nreturn x[0].repeat_interleave(n, dim=0).sum(0)",
        "n = x[0].argmax(1)\nends = n.cumsum(0)\nrow = (torch.arange(24)[:, None] >= ends).sum(1)\n"
        "rows = x[0][row.clamp(max=len(x[0]) - 1)]\n"
        "return torch.where((torch.arange(24) < ends[-1])[:, None], rows, 0).sum(0)",
        "return x[0].repeat_interleave(n, dim=0).sum(0)",
        "ends = n.cumsum(0)",
        stage="lower",
        code="EK206",
    ),
    Case(
        "tolist",
        "n = x[0].argmax(1)\nreturn torch.stack([x[0, i, k] for i, k in enumerate(n.tolist())])",
        "n = x[0].argmax(1)\nreturn x[0].gather(1, n[:, None]).squeeze(1)",
        "return torch.stack(",
        "x.gather(1, n[:, None]).squeeze(1)",
        stage="lower",
        code="EK206",
    ),
    Case(
        "value-slice",
        "n = x[0, 0].argmax()\nreturn x[..., :n].sum(-1)",
        "n = x[0, 0].argmax()\nreturn torch.where(torch.arange(x.shape[-1]) < n, x, 0).sum(-1)",
        "return x[..., :n].sum(-1)",
        "torch.where(torch.arange(x.shape[-1]) < n, x, 0)",
        stage="lower",
        code="EK206",
    ),
    Case(
        "value-slice",
        "n = x[0, 0].argmax()\nreturn x[..., :n]",
        "n = x[0, 0].argmax()\nreturn torch.where(torch.arange(x.shape[-1]) < n, x, 0)",
        "return x[..., :n]",
        "torch.where(torch.arange(x.shape[-1]) < n, x, 0)",
        code="EK212",
    ),
    Case(
        "value-size",
        "n = (x[0, 0] > 0).sum()\nreturn torch.arange(n).sum() + x",
        "n = (x[0, 0] > 0).sum()\nreturn torch.where(torch.arange(8) < n, torch.arange(8), 0).sum() + x",
        "return torch.arange(n).sum() + x",
        "torch.arange(LARGEST) < n",
        stage="lower",
        code="EK206",
    ),
    Case(
        "item",
        "return x / x.abs().max().item()",
        "return x / x.abs().max()",
        hint="x / x.max()",
        stage="lower",
        code="EK206",
    ),
    # state and chance
    Case(
        "created-module",
        "return nn.Linear(8, 8)(x)",
        "return self.linear(x)",
        hint="self.linear = nn.Linear(8, 8) in __init__",
        stage="load",
        code="EK209",
    ),
    Case("draw", "return x + torch.randn_like(x)", "return x", hint="if self.training", stage="load", code="EK209"),
    Case("draw", "return x * random.random()", "return x", hint="draw none", stage="load", code="EK209"),
    Case(
        "seeded-draw",
        "torch.manual_seed(0)\nreturn x + torch.rand(8)",
        "return x + self.noise",
        "return x + torch.rand(8)",
        "self.register_buffer('noise', torch.rand(8))",
        rewrite_init="torch.manual_seed(0)\nself.register_buffer('noise', torch.rand(8))",
        code="EK213",
    ),
    Case(
        "growing-list",
        "self.cache.append(x)\nreturn torch.cat(self.cache, 1).sum(1)",
        "return x.sum(1)",
        "return torch.cat(self.cache, 1).sum(1)",
        "def forward(self, x, cache)",
        init="self.cache = []",
        stage="load",
        code="EK209",
    ),
    Case(
        "kept-value",
        "y, self.state = self.gru(x, self.state)\nreturn y",
        "y, state = self.gru(x, torch.zeros(1, 1, 4))\nreturn y",
        "y, self.state = self.gru(x, self.state)",
        "def forward(self, x, state)",
        init=f"{GRU}\nself.state = None",
        stage="load",
        code="EK209",
    ),
    Case(
        "kept-value",
        "d = x - self.last\nself.last = x\nreturn d",
        "return x",
        "d = x - self.last",
        "def forward(self, x, state)",
        init="self.last = 0",
        code="EK213",
    ),
    Case(
        "weight-write",
        "with torch.no_grad():\n    self.linear.weight.mul_(0.5)\nreturn self.linear(x)",
        "return F.linear(x, self.linear.weight * 0.5, self.linear.bias)",
        "self.linear.weight.mul_(0.5)",
        "F.linear(x, self.linear.weight / norm, self.linear.bias)",
        stage="load",
        code="EK209",
    ),
    Case(
        "try",
        "try:\n    if x.sum() > 0:\n        return x\nexcept RuntimeError:\n    pass\nreturn x + 1",
        "return torch.where(x.sum() > 0, x, x + 1)",
        "try:",
        "torch.where(CONDITION, A, B)",
        code="EK213",
    ),
    Case(
        "try",
        "try:\n    return x.view(7)\nexcept RuntimeError:\n    return x + 1",
        "if x.shape[-1] == 7:\n    return x.view(7)\nreturn x + 1",
        "return x + 1",
        "if x.shape[-1] == 7:",
        code="EK213",
    ),
    Case(
        "export-switch",
        "return x if torch.compiler.is_exporting() else x + 1",
        "return x + 1",
        hint="take one way for both",
        code="EK213",
    ),
    # inputs and outputs
    Case(
        "device-move",
        "return self.linear(x.to('cuda'))",
        "return self.linear(x)",
        hint="device=x.device",
        stage="load",
        code="EK202",
    ),
    Case(
        "missing-argument",
        "return x * scale",
        "return x * self.scale",
        hint="def forward(self, x, scale=1.0)",
        arguments=", scale",
        rewrite_init="self.scale = 1.0",
        stage="load",
        code="EK202",
    ),
    Case(
        "dictionary-input",
        "return x['x'] + 1",
        "return x + 1",
        hint="one argument for each input",
        stage="load",
        code="EK202",
    ),
    Case(
        "expanded-write",
        "y = self.linear.bias.expand(1, 3, 8)\ny += x\nreturn y",
        "y = self.linear.bias.expand(1, 3, 8)\ny = y + x\nreturn y",
        "y += x",
        "write y = y + x",
        stage="load",
        code="EK202",
    ),
    Case(
        "output-class",
        "return Detection(x, x + 1)",
        "return {'boxes': x, 'scores': x + 1}",
        hint="return {'boxes': boxes, 'scores': scores}",
        top="from dataclasses import dataclass\n@dataclass\nclass Detection:\n    boxes: object\n    scores: object\n"
        "    def tensors(self):\n        return [self.boxes, self.scores]\n",
    ),
    Case(
        "output-class",
        "return (row for row in x[0])",
        "return torch.stack(list(x[0]))",
        hint="torch.stack(list(rows))",
    ),
    Case("output-value", "return x, None", "return x", hint="delete it"),
    Case("output-value", "return x, 3", "return x, x.new_full((1,), 3.0)", hint="x.new_full((1,), 3.0)"),
)
