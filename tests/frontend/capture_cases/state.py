"""Cases of state, chance and ways that the trace does not see."""

from __future__ import annotations

from tests.frontend.capture_cases.case import GRU, Case

CASES = (
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
)
