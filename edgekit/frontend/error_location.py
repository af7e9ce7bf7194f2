"""Location of an error in the user's network: module, file and line."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from torch import nn

from edgekit.specs.factory import place


def origin(error: BaseException, network: nn.Module, root: Path, depth: int | None = None) -> str:
    """Location of `error`, such as `module 'layer1.0' (Block) at model.py:12 in forward`.

    Names the innermost of the network's modules that was running, and the last line of the project in `root`.
    depth: frames of the trace to look at, all if None.
    """
    name, module = running(error.__traceback__, network, depth)
    return f"{location_of(name, module)}{place(error, root)}"


def running(trace: TracebackType | None, network: nn.Module, depth: int | None = None) -> tuple[str, nn.Module]:
    """Name and innermost of the network's modules that ran in the first `depth` frames; else '' and the network."""
    names = {id(module): name for name, module in network.named_modules()}
    innermost: tuple[str, nn.Module] = ("", network)
    while trace and depth != 0:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and names.get(id(owner)):
            innermost = (names[id(owner)], owner)
        trace, depth = trace.tb_next, None if depth is None else depth - 1
    return innermost


def location_of(name: str, module: nn.Module) -> str:
    """Text that names a module and its class; without a name it is the whole network."""
    kind = type(module).__name__
    return f"module '{name}' ({kind})" if name else f"the network ({kind})"
