"""Where in the user's network an error was raised."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from edgekit.specs.factory import place


def origin(error: BaseException, network: nn.Module, root: Path) -> str:
    """`module 'layer1.0' (Block) at model.py:12 in forward`: the innermost of the network's named modules that was
    running when `error` was raised, and the last line of the project in `root`."""
    names = {id(module): name for name, module in network.named_modules()}
    found = f"the network ({type(network).__name__})"
    trace = error.__traceback__
    while trace:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and names.get(id(owner)):
            found = f"module '{names[id(owner)]}' ({type(owner).__name__})"
        trace = trace.tb_next
    return f"{found}{place(error, root)}"
