"""Node of a program at which a converter failed, by the frames of its error."""

from __future__ import annotations

from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch.fx import Node

PARAMETERS = ("node", "target_node")
"""Names under which functions of executorch and litert-torch are given the node to convert."""


def failed_node(error: BaseException) -> Node | None:
    """Call that a function of the converter was given when it failed, that of the innermost one; None if there is none.

    A node that a loop has in a variable is not taken: it may be over when something else fails.
    """
    while error.__cause__ is not None:
        error = error.__cause__
    given = [node for frame in _frames(error.__traceback__) if (node := _given(frame)) is not None]
    return given[-1] if given else None


def _frames(traceback: TracebackType | None) -> Iterator[FrameType]:
    """Frames of a traceback, the outermost first."""
    while traceback is not None:
        yield traceback.tb_frame
        traceback = traceback.tb_next


def _given(frame: FrameType) -> Node | None:
    from torch.fx import Node

    parameters = frame.f_code.co_varnames[: frame.f_code.co_argcount + frame.f_code.co_kwonlyargcount]
    values = (frame.f_locals.get(name) for name in PARAMETERS if name in parameters)
    return next((value for value in values if isinstance(value, Node) and value.op == "call_function"), None)
