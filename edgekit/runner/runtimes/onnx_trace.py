"""Traces of onnxruntime: the JSON file that its session profiling writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .trace import Inference, OperatorRun

if TYPE_CHECKING:
    from ..model.tensors import Call

# onnxruntime 1.31, core/framework/sequential_executor.cc and core/session/inference_session.cc.
WHOLE, KERNEL, PROVIDER = "model_run", "_kernel_time", "ExecutionProvider"
NESTING = {"If", "Loop", "Scan", "SequenceMap"}
"""Control-flow operators: their time includes that of the nodes inside, which are traced before them."""


class OnnxTrace:
    """A session with profiling on."""

    note = "onnxruntime counts whole microseconds: each operator may have taken up to one more"

    def __init__(self, call: Call, session: Any) -> None:
        self.call, self._session = call, session

    def inferences(self) -> list[Inference]:
        events = json.loads(Path(self._session.end_profiling()).read_text("utf-8"))
        inferences: list[Inference] = []
        nodes: list[dict[str, Any]] = []
        # An inference's own event comes after those of its nodes.
        for event in events:
            if event["cat"] == "Node" and event["name"].endswith(KERNEL):
                nodes = _outside(nodes, event)
                nodes.append(event)
            if event["name"] == WHOLE:
                inferences.append(Inference(_ns(event), [_operator(node) for node in nodes]))
                nodes = []
        return inferences


def _outside(nodes: list[dict[str, Any]], event: dict[str, Any]) -> list[dict[str, Any]]:
    if event["args"]["op_name"] not in NESTING:
        return nodes
    return [node for node in nodes if node["ts"] < event["ts"]]


def _ns(event: dict[str, Any]) -> int:
    return int(event["dur"]) * 1000


def _operator(event: dict[str, Any]) -> OperatorRun:
    args = event["args"]
    name, provider = event["name"][: -len(KERNEL)], args["provider"]
    # Its name in targets: `cpu` of `CPUExecutionProvider`.
    delegate = provider[: -len(PROVIDER)] if provider.endswith(PROVIDER) else provider
    return OperatorRun(args["op_name"], name, delegate.lower(), _ns(event))
