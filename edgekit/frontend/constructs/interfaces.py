"""Inputs and outputs that are no tensors, and where tensors lie."""

from __future__ import annotations

import ast
import re

from edgekit.frontend.constructs.construct import CaptureFailure, Construct


def _reads_dictionary(failure: CaptureFailure) -> bool:
    node = failure.syntax.path[0] if failure.syntax.path else None
    return (
        bool(failure.kinds & {"IndexError", "TypeError"})
        and isinstance(node, ast.Subscript)
        and isinstance(node.slice, ast.Constant)
        and isinstance(node.slice.value, str)
    )


def _is_on_gpu(failure: CaptureFailure) -> bool:
    words = ("not compiled with CUDA", "NVIDIA driver", "Expected all tensors to be on the same device")
    return any(word in failure.message for word in words)


OUTPUT = Construct(
    "output-value",
    "an output that is no tensor",
    "return x, None  or  return x, 'label'",
    "return tensors only: delete it, or make it one: x.new_full((1,), 3.0) for a number",
    lambda failure: failure.operator == "output",
)
INTERFACES = (
    Construct(
        "device-move",
        "a move to a GPU",
        "x.cuda()  or  torch.zeros(8, device='cuda')",
        "follow the input: delete x.cuda(), write torch.zeros(8, device=x.device); the build runs on the CPU",
        _is_on_gpu,
    ),
    Construct(
        "missing-argument",
        "an argument of forward that [inputs] does not state",
        "def forward(self, x, scale):",
        "give it a default, def forward(self, x, scale=1.0), or state it under [inputs] if it is a tensor; other "
        "numbers and flags belong into __init__: self.scale = 1.0",
        lambda failure: bool(re.search(r"forward\(\) missing \d+ required", failure.message)),
    ),
    Construct(
        "extra-argument",
        "fewer arguments of forward than [inputs] states",
        "def forward(self, x):  with two [inputs]",
        "state under [inputs] one tensor for each argument, in their order: def forward(self, left, right):",
        lambda failure: bool(re.search(r"forward\(\) takes .* positional argument", failure.message)),
    ),
    Construct(
        "dictionary-input",
        "an input that is a dictionary",
        "def forward(self, batch): x = batch['x']",
        "take one argument for each input, in the order of [inputs]: def forward(self, x, mask):",
        _reads_dictionary,
    ),
    Construct(
        "expanded-write",
        "a write into an expanded tensor, whose elements share memory",
        "y = bias.expand(4, 8); y += x",
        "write y = y + x, or y = bias.expand(4, 8).clone()",
        lambda failure: "more than one element of the written-to tensor" in failure.message,
    ),
    Construct(
        "output-class",
        "an output of a class that torch does not know, such as a dataclass, a generator or a set",
        "return Detection(boxes, scores)",
        "return a tuple, a dict or a NamedTuple of tensors: return {'boxes': boxes, 'scores': scores}; of a generator "
        "torch.stack(list(rows))",
        lambda failure: bool(re.search(r"Found <class .*> in output", failure.message)),
    ),
    OUTPUT,
)
