"""Patterns of module names, as `[quantize] skip` states them, matched against the nodes of a program.

A pattern with a colon, `layer1.0:add`, names one kind of operator that a module itself computes, not those inside it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from edgekit.errors import UnknownName, suggest

if TYPE_CHECKING:
    from torch.fx import Graph, Node

FLOAT_PART = "edgekit_spectrum"
"""Module of the preprocessing that stays in float in every precision: eight bits of a sine are 48 dB at best."""

OPERATOR = ":"
"""Mark between a module and the operator that a pattern names."""


def module_path(node: Node) -> str:
    """The user's name of the module that the node was traced in, such as `layer1.0.conv1`; empty if it has none."""
    stack = node.meta.get("nn_module_stack") or {}
    paths = [path for path, _ in stack.values()]
    if not paths:
        return ""
    # The frontend wraps the user's network as `model`; torch.export writes `L['self'].model.…` or `model.…`.
    path = re.sub(r"^L\['self'\]\.?", "", paths[-1])
    return path.removeprefix("model").removeprefix(".")


def operator(node: Node) -> str:
    """Name of a node's operator: `conv2d` for `aten.conv2d.default` and for `aten.conv2d_.default`."""
    name = getattr(node.target, "__name__", str(node.target)).partition(".")[0]
    return name.rstrip("_")


def is_skipped(node: Node, patterns: Sequence[str]) -> bool:
    """True if a pattern fits the module of `node` or one that contains it (`features.0`, `layer1.*`), or the operator
    in its module (`layer1.0:add`)."""
    path = module_path(node)
    here = f"{path}{OPERATOR}{operator(node)}"
    return covers(path, patterns) or any(OPERATOR in pattern and fnmatchcase(here, pattern) for pattern in patterns)


def covers(path: str, patterns: Sequence[str]) -> bool:
    """True if the module called `path`, or one that contains it, matches one of the patterns, or stays in float."""
    return FLOAT_PART in path.split(".") or any(
        fnmatchcase(name, pattern) for name in _ancestry(path) for pattern in patterns
    )


def check_names(graph: Graph, patterns: Iterable[str]) -> None:
    """Raise UnknownName, with the nearest name, for a pattern that fits no module of the program."""
    paths = {module_path(node) for node in graph.nodes if node.op == "call_function"}
    names = sorted({name for path in paths for name in _ancestry(path)} - {""})
    for pattern in patterns:
        # Not the operator: backends spell one by others before they choose what to round.
        module = pattern.partition(OPERATOR)[0]
        if not any(fnmatchcase(name, module) for name in ("", *names)):
            otherwise = f"the modules are {', '.join(names[:8])}{' …' if len(names) > 8 else ''}"
            raise UnknownName(
                f"[quantize] names '{pattern}', but no module of the network is called so",
                hint=suggest(module, names, otherwise),
            )


def _ancestry(path: str) -> Iterable[str]:
    """Names of a module and of those that contain it: `a`, `a.b`, `a.b.c`.

    The network's own is empty: only `*` fits.
    """
    parts = path.split(".")
    return (".".join(parts[: count + 1]) for count in range(len(parts)))
