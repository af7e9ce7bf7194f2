"""Failures of onnxruntime's QNN provider, by their text, as the runner's kinds of errors.

Texts are those of onnxruntime-qnn 2.7.0.
"""

from __future__ import annotations

import re

from ..errors import RunnerError
from ..files.onnx_graph import GraphOutline
from ..model.hexagon_formats import FLOAT_FROM, activation_formats

TAKES = f"it takes uint8 activations, from v{FLOAT_FROM} on uint16 and float16 too, with int8 weights"
UNASSIGNED = re.compile(r"Node '([^']*)' OpType:(\w+) .*NHWC format", re.DOTALL)
"""onnxruntime asked QNN in which layout it wants an operator, and QNN then left it."""
CONTEXT = re.compile(r"EpContext|[Cc]ontext binary|contextCreateFromBinary|ep_cache_context")
LIBRARY = re.compile(r"cannot open shared object|undefined symbol|Unable to load (?:the )?(?:backend|library)|dlopen")
DRIVER = re.compile(r"QNN_DEVICE_ERROR|[Ff]ailed to create device|device handle|[Ss]kel|FastRPC|transport")
MEMORY = "QNN_COMMON_ERROR_MEM_ALLOC"
SHOWN = 300
"""Characters of a text of QNN's that an error shows."""


def qnn_error(error: Exception, name: str, graph: GraphOutline, arch: int | None) -> RunnerError:
    """The runner's error for one that a session on HTP raised.

    name: of the model's file. arch: such as 75, if known.
    """
    text = " ".join(str(error).split())
    where = f"HTP v{arch}" if arch else "HTP"
    formats = activation_formats(graph)
    wide = "uint16" in formats and arch is not None and arch < FLOAT_FROM
    if CONTEXT.search(text):
        return RunnerError("context", f"{where} does not take a context binary of '{name}': {text[-SHOWN:]}")
    if MEMORY in text or (UNASSIGNED.search(text) and (not formats or wide)):
        has = "float" if not formats else ", ".join(sorted(formats))
        return RunnerError("formats", f"{where} does not run '{name}', whose activations are {has}: {TAKES}")
    refused = UNASSIGNED.search(text)
    if refused:
        operator = f"{refused[2]} '{refused[1]}'".replace(" ''", "")
        return RunnerError("operators", f"{where} does not take {operator} of '{name}'")
    if LIBRARY.search(text):
        return RunnerError("library", f"a library of QNN cannot be loaded: {text[-SHOWN:]}")
    if DRIVER.search(text):
        return RunnerError("driver", f"the driver of the NPU fails: {text[-SHOWN:]}")
    return RunnerError("load", f"{where} does not load '{name}': {text[-SHOWN:]}")
