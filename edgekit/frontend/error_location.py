"""Location of an error in the user's network: module, file and line."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from edgekit.specs.factory import place


def origin(error: BaseException, network: nn.Module, root: Path) -> str:
    """Location of `error`, such as `module 'layer1.0' (Block) at model.py:12 in forward`.

    Names the innermost of the network's modules that was running, and the last line of the project in `root`.
    """
    names = {id(module): name for name, module in network.named_modules()}
    location = f"the network ({type(network).__name__})"
    trace = error.__traceback__
    while trace:
        owner = trace.tb_frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and names.get(id(owner)):
            location = f"module '{names[id(owner)]}' ({type(owner).__name__})"
        trace = trace.tb_next
    return f"{location}{place(error, root)}"
