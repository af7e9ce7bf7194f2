"""Constructs that are captured as they are, and the page that lists them and those that are not."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
import torch

from edgekit.frontend.capture import capture
from edgekit.frontend.constructs.catalog import CONSTRUCTS
from edgekit.frontend.load import load
from edgekit.frontend.specialization import probes
from tests.frontend.capture_cases import Case
from tests.frontend.capture_cases.case import GRU
from tests.frontend.test_export_failures import project, tensors

PAGE = Path(__file__).parents[2] / "docs/capture.md"
SQUARE = """
import torch
class Square(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x
    @staticmethod
    def backward(ctx, gradient):
        return gradient
"""
POINT = "from typing import NamedTuple\nclass Point(NamedTuple):\n    a: object\n    b: object\n"
BOX = "from dataclasses import dataclass\n@dataclass\nclass Box:\n    a: object\n"

ACCEPTED = (
    Case(
        "flags and masks that are None or a bool by default",
        "return x * 2 if flag else x",
        "",
        arguments=", flag=False, mask=None",
    ),
    Case("`*args` and `**kwargs`", "return x + kwargs.get('bias', 0) + len(args)", "", arguments=", *args, **kwargs"),
    Case(
        "forward hooks and pre-hooks, also those that keep activations",
        "self.linear(x)\nreturn self.kept['y'] * 2",
        "",
        init="self.kept = {}\nself.linear.register_forward_hook(lambda m, i, o: self.kept.__setitem__('y', o))",
    ),
    Case("in-place operators on inputs and on views", "x += 1\nx[:, 0] = 0\nreturn x * 2", ""),
    Case("`torch.autograd.Function` written with torch's operators", "return Square.apply(x)", "", top=SQUARE),
    Case(
        "values kept on the module and not read in the next call",
        "self.last = self.linear(x)\nreturn self.last + 1",
        "",
    ),
    Case(
        "grids and masks that the first call makes from sizes",
        "if self.grid is None:\n    self.grid = torch.arange(8.0).expand(x.shape)\nreturn x + self.grid",
        "",
        init="self.grid = None",
    ),
    Case("counters", "self.calls += 1\nreturn x + 1", "", init="self.calls = 0"),
    Case("print and logging without a format for the value", "print('x', x.shape)\nreturn x + 1", ""),
    Case(
        "loops and branches over sizes",
        "for i in range(x.shape[1]):\n    x = x + i if i < x.shape[2] else x\nreturn x",
        "",
    ),
    Case("assertions about sizes", "assert x.shape == (1, 3, 8)\nreturn x + 1", ""),
    Case("loops over the rows of a tensor", "return sum(row for row in x[0])", ""),
    Case("`torch.no_grad()`", "with torch.no_grad():\n    return self.linear(x)", ""),
    Case(
        "`torch.nn.DataParallel` on the CPU",
        "return self.parallel(x)",
        "",
        init="self.parallel = nn.DataParallel(self.linear)",
    ),
    Case("outputs in a NamedTuple, a tuple or a dict", "return Point(x, {'y': x + 1})", "", top=POINT),
    Case("a class of your own inside forward", "return Box(x).a + 1", "", top=BOX),
    Case("generators inside forward", "return torch.stack(list(row * 2 for row in x[0]))", ""),
    Case(
        "`torch.utils.checkpoint`",
        "return checkpoint(self.linear, x, use_reentrant=False)",
        "",
        top="from torch.utils.checkpoint import checkpoint\n",
    ),
    Case("numpy on constants", "return x + torch.from_numpy(np.arange(8, dtype=np.float32))", ""),
    Case("a GRU or LSTM whose state starts from zeros", "return self.gru(x)[0]", "", init=GRU),
    Case("`torch.einsum`", "return torch.einsum('bct,bct->bt', x, x)", ""),
    Case(
        "`torch.distributions`, whose checks of values are left out",
        "return torch.distributions.Normal(x, x.abs() + 1).log_prob(x)",
        "",
    ),
    Case("branches on `self.training`", "return x + torch.rand(8) if self.training else x", ""),
)


@pytest.mark.filterwarnings("ignore:The tensor attribute:UserWarning")
@pytest.mark.parametrize("case", ACCEPTED, ids=[case.key for case in ACCEPTED])
def test_a_construct_is_captured_as_it_is(tmp_path: Path, case: Case) -> None:
    model = load(project(tmp_path / "accepted", case.failing()))
    program = capture(model).exported.module()
    for inputs in probes(model.examples):
        with torch.no_grad():
            answers = tensors(program(*(value.clone() for value in inputs)))
            expected = tensors(model.module(*(value.clone() for value in inputs)))
        assert answers
        for answer, other in zip(answers, expected, strict=True):
            torch.testing.assert_close(answer, other)


def test_the_page_lists_every_construct_and_what_is_accepted() -> None:
    rows = [f"| {cell(entry.title)} | {code(entry.example)} | {cell(entry.rewrite)} |" for entry in CONSTRUCTS]
    table = "\n".join(["| construct | for example | rewrite |", "|---|---|---|", *rows])
    accepted = "\n".join(f"- {case.key};" for case in ACCEPTED).removesuffix(";") + "."
    page = section(section(PAGE.read_text(), "constructs", table), "accepted", accepted)
    if os.environ.get("EDGEKIT_GOLDEN") == "write":
        PAGE.write_text(page)
    assert PAGE.read_text() == page


def section(page: str, name: str, text: str) -> str:
    """The page with `text` between the comments of a name."""
    pattern = re.compile(f"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
    assert pattern.search(page)
    return pattern.sub(lambda match: f"{match[1]}{text}\n{match[2]}", page)


def cell(text: str) -> str:
    """Text for a cell of a table: what Markdown would read as markup is escaped."""
    return re.sub(r"([|*<_])", r"\\\1", text)


def code(text: str) -> str:
    """Code for a cell, one span for each alternative."""
    return " or ".join(f"`{part}`" for part in text.replace("|", "\\|").split("  or  "))
