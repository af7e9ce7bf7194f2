"""Control flow that depends on the value of a tensor."""

from __future__ import annotations

import ast

from edgekit.frontend.constructs.construct import CaptureFailure, Construct
from edgekit.frontend.constructs.source_rewrites import selection
from edgekit.frontend.constructs.syntax import call_name

SPEECH = frozenset({"print", ".warn", ".warning", ".info", ".debug", ".error"})
"""Calls that only tell somebody something."""

EQUALITY = frozenset({"torch.equal", "torch.allclose", ".equal", ".allclose"})
"""Comparisons of whole tensors, whose answer is a Python bool."""


def _is_check(failure: CaptureFailure) -> bool:
    """True for an `if` that only raises, warns or prints."""
    node = failure.syntax.statement
    return failure.value_needed and isinstance(node, ast.If) and not node.orelse and all(map(_speaks, node.body))


def _speaks(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise | ast.Pass):
        return True
    return isinstance(statement, ast.Expr) and call_name(statement.value) in SPEECH


def _is_assertion(failure: CaptureFailure) -> bool:
    asserted = isinstance(failure.syntax.statement, ast.Assert) or "torch._assert" in failure.syntax.calls
    return failure.value_needed and asserted


def _is_recursive(failure: CaptureFailure) -> bool:
    function = failure.syntax.function
    if not failure.value_needed or not isinstance(function, ast.FunctionDef) or function.name == "forward":
        return False
    return bool({function.name, f".{function.name}"} & failure.syntax.calls_of_function)


def _is_loop_over_indices(failure: CaptureFailure) -> bool:
    node = failure.syntax.statement
    wanted = {"torch.nonzero", ".nonzero", "torch.where", "torch.argwhere", ".argwhere"}
    return failure.value_needed and isinstance(node, ast.For) and bool(wanted & failure.syntax.calls)


def _is_choice(failure: CaptureFailure) -> bool:
    """True if an element of a list, a dictionary or a `match` is chosen by the value of a tensor."""
    node = failure.syntax.path[0] if failure.syntax.path else None
    looked_up = any(call_name(part) == ".get" for part in failure.syntax.path)
    return failure.value_needed and (isinstance(node, ast.Subscript) or _in(failure, ast.Match) or looked_up)


def _is_row_choice(failure: CaptureFailure) -> bool:
    """True for any(), all(), filter(), and a comprehension with a condition."""
    kinds = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp
    nodes = [node for node in failure.syntax.path if isinstance(node, kinds)]
    conditional = any(part.ifs for node in nodes for part in node.generators)
    return failure.value_needed and (conditional or bool({"any", "all", "filter"} & failure.syntax.calls))


def _is_loop_exit(failure: CaptureFailure) -> bool:
    """True for an `if` in a loop that leaves the loop or its step."""
    node = failure.syntax.statement
    if not failure.value_needed or not isinstance(node, ast.If):
        return False
    around = []
    for parent in failure.syntax.enclosing:
        if isinstance(parent, ast.FunctionDef):
            break
        around.append(parent)
    leaves = any(isinstance(part, ast.Break | ast.Continue | ast.Return) for part in ast.walk(node))
    return leaves and any(isinstance(parent, ast.For | ast.While) for parent in around)


def _is_module_choice(failure: CaptureFailure) -> bool:
    path = failure.syntax.path
    return _is_choice(failure) and len(path) > 1 and isinstance(path[1], ast.Call) and path[1].func is path[0]


def _is_logic(failure: CaptureFailure) -> bool:
    """True for `and`, `or`, `not` or `in` outside the condition of an `if` or a loop."""
    path = failure.syntax.path
    operator = any(
        isinstance(node, ast.BoolOp)
        or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not))
        or (isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn))
        for node in path
    )
    return failure.value_needed and operator and not _in(failure, ast.If, ast.While, ast.IfExp)


def _in(failure: CaptureFailure, *kinds: type[ast.AST]) -> bool:
    return any(isinstance(node, kinds) for node in failure.syntax.path)


CONTROL_FLOW = (
    Construct(
        "check",
        "an 'if' that checks the values of a tensor and raises or warns",
        "if torch.isnan(x).any(): raise ValueError",
        "delete the check, or do it where the samples are made: a compiled graph has nobody to tell",
        _is_check,
    ),
    Construct(
        "assertion",
        "an assertion about the values of a tensor",
        "assert x.max() < 100",
        "delete the assertion, or keep it out of forward; assertions about x.shape may stay",
        _is_assertion,
    ),
    Construct(
        "distribution",
        "a torch.distributions object that checks the values of its arguments",
        "torch.distributions.Normal(mean, std, validate_args=True)",
        "leave it out, or pass validate_args=False: torch.distributions.Normal(mean, std, validate_args=False)",
        lambda failure: (
            failure.value_needed and any(name.startswith("torch.distributions") for name in failure.modules)
        ),
    ),
    Construct(
        "equality",
        "a comparison of two whole tensors that gives a Python bool",
        "if torch.equal(a, b):",
        "compare by operators that give a tensor: same = (a == b).all(), or same = ((a - b).abs() < 1e-6).all(); "
        "then torch.where(same, A, B)",
        lambda failure: failure.value_needed and bool(EQUALITY & failure.syntax.calls),
    ),
    Construct(
        "python-order",
        "sorting or comparing tensors by Python's sorted(), max() or min()",
        "sorted([a, b])",
        "write torch.stack([a, b]).sort().values; for max(a, b) torch.maximum(a, b), for max(a, 1.0) a.clamp(min=1.0), "
        "for max(row) row.amax(0)",
        lambda failure: (
            failure.syntax.called in ("sorted", "max", "min", ".sort")
            and (failure.value_needed or "imum() missing" in failure.message)
        ),
    ),
    Construct(
        "python-any",
        "a choice of rows by their values, by Python's any(), all() or filter() or by a comprehension",
        "any(r.sum() > 0 for r in x)",
        "compute all at once: (x.sum(-1) > 0).any(); in place of filter keep every row and mask it: "
        "torch.where(KEEP[:, None], x, 0)",
        _is_row_choice,
    ),
    Construct(
        "recursion",
        "a function that calls itself until the value of a tensor is right",
        "return x if x.max() < 1 else self.halve(x / 2)",
        "make it a loop with a fixed number of steps: for _ in range(8): x = torch.where(x.max() < 1, x, x / 2)",
        _is_recursive,
    ),
    Construct(
        "while",
        "a 'while' loop on the value of a tensor",
        "while x.abs().max() > 1: x = x / 2",
        "take a fixed number of steps, of which those too many change nothing: "
        "for _ in range(8): x = torch.where(x.abs().max() > 1, x / 2, x)",
        lambda failure: failure.value_needed and _in(failure, ast.While),
    ),
    Construct(
        "loop-exit",
        "a loop that ends when the value of a tensor is right",
        "for _ in range(8): if x.max() < 1: break",
        "take all steps, of which those after the end change nothing: "
        "for _ in range(8): x = torch.where(x.max() < 1, x, x / 2)",
        _is_loop_exit,
    ),
    Construct(
        "loop-over-indices",
        "a loop over the positions where a tensor is not zero",
        "for i in torch.nonzero(mask):",
        "compute all positions at once and mask them: torch.where(mask, STEP, x)",
        _is_loop_over_indices,
    ),
    Construct(
        "counted-loop",
        "a 'for' loop as often as the value of a tensor says",
        "for i in range(n): x = x + 1",
        "take the largest number of steps: for i in range(LARGEST): x = torch.where(i < n, x + 1, x)",
        lambda failure: failure.value_needed and (failure.syntax.called == "range" or _in(failure, ast.For)),
    ),
    Construct(
        "module-choice",
        "a module that is chosen by the value of a tensor",
        "self.experts[i](x, mask)",
        "run all and choose among the results: torch.stack([expert(x) for expert in self.experts])"
        ".index_select(0, i.reshape(1)).squeeze(0)",
        _is_module_choice,
    ),
    Construct(
        "choice",
        "an element of a list or dictionary, or a case of 'match', that is chosen by the value of a tensor",
        "self.scales[i], with a list of numbers",
        "keep the choices in one tensor, self.register_buffer('scales', torch.tensor([1.0, 2.0])), and choose by "
        "self.scales.index_select(0, i.reshape(1))",
        _is_choice,
    ),
    Construct(
        "logic",
        "'and', 'or', 'not' or 'in' between tensors",
        "ok = low < 1 and high > 2",
        "write & for 'and', | for 'or', ~ for 'not', each comparison in brackets: ok = (low < 1) & (high > 2); for "
        "'i in [1, 2]' torch.isin(i, torch.tensor([1, 2]))",
        _is_logic,
    ),
)

BRANCH = Construct(
    "branch",
    "an 'if' on the value of a tensor",
    "if x.sum() > 0: return x",
    "compute both sides, of one shape, and choose by torch.where(x.sum() > 0, x, -x); to compute one side alone "
    "torch.cond(x.sum() > 0, lambda x: x.sin(), lambda x: x.cos(), (x,)), which onnx and executorch take",
    lambda failure: failure.value_needed and _in(failure, ast.If, ast.IfExp),
    selection,
)
