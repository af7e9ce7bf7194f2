"""Cases of inputs and outputs that are no tensors."""

from __future__ import annotations

from tests.frontend.capture_cases.case import Case

CASES = (
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
