"""Evidence of a failure: the innermost line of the network's own code, read off an error or an operator."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import linecache
import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import nn
from torch.fx import Node

from edgekit.frontend.constructs.construct import CaptureFailure
from edgekit.frontend.constructs.syntax import Syntax, syntax_at
from edgekit.frontend.error_location import location_of, origin

UNSEEN = re.compile(r"\.data\b|\bsubmit\(|Thread")
"""Code by which a value comes into a program unseen: the error comes after the trace, and passes through no line."""
HIDDEN = re.compile(r"^\s*try:|\.data\b")
"""Code that hides from torch that the network goes another way."""
PART = re.compile(r"following model attribute: ([\w.]+)\.\w+")
"""Message that names the module of a value that came into a program unseen."""


@dataclass(frozen=True)
class CaptureEvidence:
    """One failure with its place, for a message."""

    failure: CaptureFailure
    place: str
    """Text such as `module 'head' (Head) at model.py:12 in forward`."""
    line: str
    """The line of code; empty if it is not known."""

    @property
    def quotation(self) -> str:
        """End of a sentence with the line of code; empty if it is not known."""
        return f": {self.line}" if self.line else ""


def evidence_of(error: BaseException, network: nn.Module, root: Path, operator: str = "") -> CaptureEvidence:
    """Evidence of an error that passed through the forward of `network`.

    root: folder of the project. operator: word of the constructs for a finding that torch did not make, such as
    `specialized`.
    """
    frames = list(_frames(error.__traceback__))
    kinds = frozenset(kind.__name__ for kind in type(error).__mro__)
    modules = frozenset(frame.module for frame in frames)
    packages = _packages(network)
    own = [frame for frame in frames if frame.file.startswith(f"{root}/") or frame.package in packages]
    if not own:
        return _unseen(CaptureFailure(Syntax(), str(error), kinds, modules, operator), network, root)
    last = own[-1].summary
    place = origin(error, network, root, frames.index(own[-1]) + 1)
    syntax = syntax_at(last.filename, last.lineno or 1, last.end_lineno, last.colno, last.end_colno)
    if not last.filename.startswith(f"{root}/"):
        place += f" (in {'/'.join(Path(last.filename).parts[-3:])}:{last.lineno})"
    return CaptureEvidence(
        CaptureFailure(syntax, str(error), kinds, modules, operator), place, (last.line or "").strip()
    )


def evidence_in(node: Node, operator: str | None = None) -> CaptureEvidence:
    """Evidence of an operator of a program; `operator` stands for its name if it is stated."""
    frames = re.findall(r'File "(.+?)", line (\d+), in (\w+)', node.meta.get("stack_trace") or "")
    own = [frame for frame in frames if "/torch/" not in frame[0]]
    path, kind = _module(node)
    place = f"module '{path}' ({kind})" if path else "the network"
    syntax, code = Syntax(), ""
    if own:
        file, line, function = own[-1][0], int(own[-1][1]), own[-1][2]
        syntax, code = syntax_at(file, line), "".join(_line(file, line))
        place += f" at {Path(file).name}:{line} in {function}"
    return CaptureEvidence(CaptureFailure(syntax, operator=operator or str(node.target)), place, code)


@dataclass(frozen=True)
class _Frame:
    """One line of a trace, and the name of its Python module."""

    summary: traceback.FrameSummary
    module: str

    @property
    def file(self) -> str:
        return self.summary.filename

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]


def _frames(trace: TracebackType | None) -> Iterator[_Frame]:
    summaries = iter(traceback.extract_tb(trace))
    while trace:
        yield _Frame(next(summaries), str(trace.tb_frame.f_globals.get("__name__", "")))
        trace = trace.tb_next


def _packages(network: nn.Module) -> set[str]:
    """Top packages of the network's modules, such as `timm`; torch's own are not the network's."""
    names = {type(module).__module__.partition(".")[0] for module in network.modules()}
    return names - {"torch", "edgekit", "builtins"}


def _unseen(failure: CaptureFailure, network: nn.Module, root: Path) -> CaptureEvidence:
    """Evidence of an error after the trace: the line of a module's forward that brought it in, or its last."""
    marks = HIDDEN if failure.operator == "specialized" else UNSEEN
    part = PART.search(failure.message)
    name = part[1].removeprefix("model.") if part else ""
    module = dict(network.named_modules()).get(name, network)
    name = name if module is not network else ""
    while True:
        file, lines, first = _source(module)
        marked = [number for number, text in enumerate(lines, first) if marks.search(text)]
        returns = [number for number, text in enumerate(lines, first) if text.lstrip().startswith("return")]
        if not file or not (marked or returns):
            return CaptureEvidence(failure, location_of(name, module), "")
        line = marked[0] if marked else returns[-1]
        syntax = syntax_at(file, line)
        part_name = "" if marked else _returned_part(syntax)
        if part_name not in dict(module.named_children()):
            break
        name, module = f"{name}.{part_name}".lstrip("."), dict(module.named_children())[part_name]
    place = f"{location_of(name, module)} at {file.removeprefix(f'{root}/')}:{line} in forward"
    seen = dataclasses.replace(failure, syntax=syntax)
    return CaptureEvidence(seen, place, lines[line - first].strip())


def _returned_part(syntax: Syntax) -> str:
    """Name of the part of a module whose result its forward returns as it is, as in `return self.head(x)`."""
    statement = syntax.statement
    call = statement.value if isinstance(statement, ast.Return) else None
    function = call.func if isinstance(call, ast.Call) else None
    owner = function.value if isinstance(function, ast.Attribute) else None
    return function.attr if isinstance(function, ast.Attribute) and isinstance(owner, ast.Name) else ""


def forward_evidence(network: nn.Module, root: Path, operator: str) -> CaptureEvidence:
    """Evidence of what the whole network returns: the last line of its forward that returns."""
    return _unseen(CaptureFailure(Syntax(), operator=operator), network, root)


def _source(module: nn.Module) -> tuple[str, list[str], int]:
    """File, lines and number of the first line of a module's forward; no file where it has no source."""
    try:
        lines, first = inspect.getsourcelines(type(module).forward)
        return inspect.getsourcefile(type(module).forward) or "", lines, first
    except (OSError, TypeError):
        return "", [], 0


def _module(node: Node) -> tuple[str, str]:
    """Path of the user's module that an operator was called in, and the name of its class."""
    stack: dict[str, Any] = node.meta.get("nn_module_stack") or {}
    entries = [entry for entry in stack.values() if str(entry[0]).startswith("model.")]
    if not entries:
        return "", ""
    path, kind = entries[-1][0], entries[-1][1]
    return str(path).removeprefix("model."), (kind if isinstance(kind, str) else kind.__name__).rpartition(".")[2]


def _line(file: str, line: int) -> str:
    return linecache.getline(file, line).strip()
