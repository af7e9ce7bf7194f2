"""Tensors that become Python values: numbers, text, numpy arrays, copies."""

from __future__ import annotations

import ast

from edgekit.frontend.constructs.construct import CaptureFailure, Construct
from edgekit.frontend.constructs.source_rewrites import values_kept
from edgekit.frontend.constructs.syntax import call_name

NO_DATA = ("data is not allocated yet", "Cannot access data pointer", "Can't pickle")
"""Messages about the memory of a tensor, which has none while the network is traced."""
TENSORS = ("torch.tensor", "torch.as_tensor", "torch.Tensor", ".new_tensor")
"""Functions that make a tensor of Python numbers."""


def _is_buffer_value(failure: CaptureFailure) -> bool:
    """True if the value is that of an attribute of the module, which does not change."""
    if not failure.value_needed or not failure.syntax.path:
        return False
    node = failure.syntax.path[0]
    if isinstance(node, ast.If | ast.While | ast.IfExp | ast.Assert):
        node = node.test
    if isinstance(node, ast.Compare):
        node = node.left
    while isinstance(node, ast.Call | ast.UnaryOp):
        node = _operand(node)
    return isinstance(node, ast.Attribute) and ast.unparse(node).startswith("self.")


def _operand(node: ast.Call | ast.UnaryOp) -> ast.AST:
    if isinstance(node, ast.UnaryOp):
        return node.operand
    if isinstance(node.func, ast.Name) and node.func.id in ("int", "float", "bool") and node.args:
        return node.args[0]
    return node.func.value if isinstance(node.func, ast.Attribute) and node.func.attr == "item" else node.func


def _is_shape_arithmetic(failure: CaptureFailure) -> bool:
    names = set(map(call_name, _parts(failure)))
    return failure.value_needed and _has_size(failure) and "torch.tensor" in names


def _is_dependent_size(failure: CaptureFailure) -> bool:
    # torch says of which of its symbols it knows that they are sizes.
    sized = "Size-like symbols: u" in failure.message
    return failure.value_needed and sized and failure.syntax.called != "int" and _has_size(failure)


def _has_size(failure: CaptureFailure) -> bool:
    """True if the expression has `len(x)`, `x.shape`, `x.size(0)` or `x.numel()` in it."""
    attributes = [part.attr for part in _parts(failure) if isinstance(part, ast.Attribute)]
    return bool({"shape", "size", "numel"} & set(attributes)) or failure.syntax.called == "len"


def _parts(failure: CaptureFailure) -> list[ast.AST]:
    """Nodes of the expression; of the condition, for a statement that has one."""
    node = failure.syntax.path[0] if failure.syntax.path else ast.Pass()
    return list(ast.walk(node.test if isinstance(node, ast.If | ast.While | ast.Assert) else node))


def _is_int(failure: CaptureFailure) -> bool:
    chooses = any(isinstance(node, ast.Match) or call_name(node) == ".get" for node in failure.syntax.path)
    return failure.value_needed and failure.syntax.called == "int" and not chooses


def _is_index_list(failure: CaptureFailure) -> bool:
    """True for tensors in a list that is an index."""
    return (
        NO_DATA[0] in failure.message
        and bool(failure.syntax.path)
        and isinstance(failure.syntax.path[0], ast.Subscript)
    )


def _has_no_data(failure: CaptureFailure, *calls: str) -> bool:
    return any(words in failure.message for words in NO_DATA) and (not calls or bool(set(calls) & failure.syntax.calls))


def _is_float(failure: CaptureFailure) -> bool:
    called = failure.syntax.called
    return failure.value_needed and (called == "float" or called.startswith("math."))


VALUES = (
    Construct(
        "constant-buffer",
        "the value of a buffer or of another tensor of the module, used as a Python number",
        "if self.flag:  or  int(self.steps)",
        "keep it as a Python number: self.flag = True in __init__ in place of register_buffer; for a loaded one "
        "self.flag = bool(self.flag) at the end of the factory",
        _is_buffer_value,
    ),
    Construct(
        "shape-arithmetic",
        "arithmetic on sizes by tensors",
        "int(torch.tensor(x.shape).prod())",
        "compute sizes by Python: x.numel(), math.prod(x.shape), x.shape[-1] // 2",
        _is_shape_arithmetic,
    ),
    Construct(
        "dependent-size",
        "a size that depends on the values of a tensor",
        "len(x[x > 0])  or  if x[x > 0].numel() == 0:",
        "count by mask = x > 0; n = mask.sum(), a tensor, and keep the size: torch.where(mask, x, 0); "
        "torch.where(mask.any(), A, B) in place of the question if there are any",
        _is_dependent_size,
    ),
    Construct(
        "float",
        "a tensor turned into a Python number by float() or a function of math",
        "x / float(x.max())",
        "keep the tensor: x / x.max(), torch.sqrt(x.max()) for math.sqrt, x.max().clamp(min=1.0) for max(…, 1.0)",
        _is_float,
        values_kept,
    ),
    Construct(
        "int",
        "a tensor turned into a Python number by int(), as a size or an index",
        "n = int(lengths[0]); x[..., :n]",
        "keep the tensor n and the full size: torch.where(torch.arange(x.shape[-1]) < n, x, 0) for x[..., :n], "
        "x.index_select(-1, n.reshape(1)).squeeze(-1) for x[..., n], a fixed number for a size or for topk",
        _is_int,
    ),
    Construct(
        "bool",
        "a tensor turned into a Python bool",
        "x * bool(x.max() > 0)",
        "keep the tensor: x * (x.max() > 0)",
        lambda failure: failure.value_needed and failure.syntax.called == "bool",
        values_kept,
    ),
    Construct(
        "one-hot",
        "one_hot without the number of classes, which it then reads from the values",
        "F.one_hot(labels)",
        "state it: F.one_hot(labels, num_classes=10); or (labels[..., None] == torch.arange(10)).float(), which every "
        "backend takes",
        lambda failure: failure.value_needed and failure.syntax.called.endswith("one_hot"),
    ),
    Construct(
        "tensor-of-tensors",
        "a list of tensors that is made a tensor or an index",
        "torch.tensor([x.max(), x.min()])  or  x[[i, j]]",
        "write torch.stack([x.max(), x.min()]), x[torch.stack([i, j])]",
        lambda failure: _is_index_list(failure) or _has_no_data(failure, *TENSORS),
    ),
    Construct(
        "format",
        "text with the value of a tensor in it",
        "print(f'{x.mean():.3f}')",
        "delete the text, or leave the value out of it: f'{x.shape}' may stay",
        lambda failure: "__format__" in failure.message,
    ),
    Construct(
        "numpy",
        "a tensor that is given to numpy",
        "np.tanh(x.numpy())",
        "write it with torch: torch.tanh(x) for np.tanh, torch.clamp for np.clip, x.amax() for np.max; numpy on "
        "constants may stay",
        lambda failure: ".numpy() is not supported" in failure.message,
    ),
    Construct(
        "copy",
        "a copy of a tensor or of a module by copy or pickle",
        "copy.deepcopy(x)",
        "write x.clone() for a tensor; copy modules in __init__, and save no tensors in forward",
        lambda failure: _has_no_data(failure, ".deepcopy", "deepcopy", ".dumps", "torch.save", "copy", ".copy"),
    ),
    Construct(
        "memory",
        "code that reads the memory of a tensor, such as a C or C++ extension",
        "x.data_ptr()",
        "write that part with torch's own operators: no runtime on a device has yours",
        lambda failure: _has_no_data(failure) or "no fake impl registered" in failure.message,
    ),
)
