"""State and chance: a network whose answer depends on more than its inputs and weights."""

from __future__ import annotations

import ast

from edgekit.frontend.constructs.construct import CaptureFailure, Construct

SEEDS = frozenset({"torch.manual_seed", ".manual_seed", "torch.Generator", "random.seed", ".seed"})
SWITCHES = frozenset(
    {
        ".is_exporting",
        ".is_compiling",
        ".is_dynamo_compiling",
        "torch.compiler.is_exporting",
        "torch.compiler.is_compiling",
        "torch.compiler.is_dynamo_compiling",
        "torch._dynamo.is_compiling",
        "torch.onnx.is_in_onnx_export",
        "torch.jit.is_tracing",
    }
)
"""Functions that tell a network that it is being exported."""
DRAWS = (
    "rand",
    "randn",
    "randint",
    "randperm",
    "bernoulli",
    "multinomial",
    "normal",
    "uniform",
    "dropout",
    "exponential",
)


def _differs(failure: CaptureFailure) -> bool:
    """True if the network does not answer as before, or not as its program does."""
    return failure.operator in ("specialized", "nondeterministic")


def _calls(failure: CaptureFailure) -> frozenset[str]:
    return failure.syntax.calls | failure.syntax.calls_of_function


def _creates_module(failure: CaptureFailure) -> bool:
    return _differs(failure) and any(
        name.startswith(("nn.", "torch.nn.")) and name.rpartition(".")[2][:1].isupper() for name in _sources(failure)
    )


def _draws(failure: CaptureFailure) -> bool:
    names = {name.rpartition(".")[2].removesuffix("_").removesuffix("_like") for name in failure.syntax.calls}
    return _differs(failure) and (
        bool(names & set(DRAWS)) or any(name.startswith("random") for name in _sources(failure))
    )


def _sources(failure: CaptureFailure) -> list[str]:
    """Source of what each call of the statement calls, such as `nn.Linear`."""
    return [ast.unparse(part.func) for part in failure.syntax.expressions() if isinstance(part, ast.Call)]


def _grows(failure: CaptureFailure) -> bool:
    """True if the function adds to a list of the module."""
    nodes = ast.walk(failure.syntax.function) if failure.syntax.function else ()
    calls = [ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)]
    return _differs(failure) and any(
        name.startswith("self.") and name.endswith((".append", ".extend")) for name in calls
    )


def _writes_weight(failure: CaptureFailure) -> bool:
    source = ast.unparse(failure.syntax.function) if failure.syntax.function else ""
    return _differs(failure) and any(f"{name}.{call}" in source for name in ("weight", "bias") for call in WRITES)


WRITES = ("copy_(", "mul_(", "div_(", "add_(", "sub_(", "clamp_(", "data =", "data.")


def _keeps(failure: CaptureFailure) -> bool:
    """True if the function assigns an attribute of the module."""
    nodes = ast.walk(failure.syntax.function) if failure.syntax.function else ()
    targets = [
        target
        for node in nodes
        if isinstance(node, ast.Assign | ast.AugAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    names = [ast.unparse(part) for target in targets for part in getattr(target, "elts", [target])]
    return _differs(failure) and any(name.startswith("self.") for name in names)


STATE = (
    Construct(
        "try",
        "a 'try' around tensor code, which hides that the traced network takes another way",
        "try: … except RuntimeError: …",
        "ask for what decides before it fails, if x.shape[-1] == 7:, and write choices by values with "
        "torch.where(CONDITION, A, B); then delete the try",
        lambda failure: _differs(failure) and any(isinstance(node, ast.Try) for node in failure.syntax.nodes),
    ),
    Construct(
        "export-switch",
        "a branch on whether the network is being exported",
        "if torch.compiler.is_exporting():",
        "take one way for both: the device must compute what was trained and measured",
        lambda failure: _differs(failure) and bool(SWITCHES & _calls(failure)),
    ),
    Construct(
        "created-module",
        "a module that is made in forward, with new random weights at each call",
        "nn.Linear(8, 8)(x)",
        "make it once: self.linear = nn.Linear(8, 8) in __init__, self.linear(x) in forward",
        _creates_module,
    ),
    Construct(
        "seeded-draw",
        "random numbers from a seed that is set in forward",
        "torch.manual_seed(0); noise = torch.rand(8)",
        "draw them once: self.register_buffer('noise', torch.rand(8)) in __init__, self.noise in forward",
        lambda failure: _differs(failure) and bool(SEEDS & _calls(failure)),
    ),
    Construct(
        "draw",
        "random numbers",
        "x + torch.randn_like(x)",
        "draw none in evaluation: if self.training: x = x + torch.randn_like(x); F.dropout(x, training=self.training); "
        "argmax(-1) in place of multinomial",
        _draws,
    ),
    Construct(
        "growing-list",
        "a list of the module that grows at each call",
        "self.cache.append(x)",
        "take what is kept as an input and return it: def forward(self, x, cache): "
        "cache = torch.cat([cache[:, 1:], x], 1); return self.head(cache), cache",
        _grows,
    ),
    Construct(
        "weight-write",
        "weights that forward changes",
        "self.linear.weight.copy_(w)",
        "compute with a new value: F.linear(x, self.linear.weight / norm, self.linear.bias); or change the weights "
        "once, in the factory",
        _writes_weight,
    ),
    Construct(
        "kept-value",
        "a value that is kept from one call to the next",
        "y, self.state = self.gru(x, self.state)",
        "take it as an input and return it: def forward(self, x, state): "
        "y, state = self.gru(x, state); return y, state",
        _keeps,
    ),
)
