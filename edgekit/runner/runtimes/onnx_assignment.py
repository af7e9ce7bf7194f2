"""Assignment of a graph's operators to execution providers, as the session of onnxruntime itself has it."""

from __future__ import annotations

from collections import Counter
from typing import Any

RECORD = "session.record_ep_graph_assignment_info"
"""Key of a session's configuration that has it keep the assignment; its value is "1"."""


def assignment(session: Any, provider: str) -> tuple[int, Counter[str], int]:
    """Operators that `provider` took, those left to other providers by kind, and the number of the provider's graphs.

    By the names of providers in the session's graph, once that is split between them.
    """
    on_provider, left, graphs = 0, Counter[str](), 0
    for part in session.get_provider_graph_assignment_info():
        nodes = part.get_nodes()
        if part.ep_name == provider:
            on_provider, graphs = on_provider + len(nodes), graphs + 1
        else:
            left.update(node.op_type for node in nodes)
    return on_provider, left, graphs
