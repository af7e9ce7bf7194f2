"""Graphs of the patterns that XNNPACK's passes look for, traced when this module is imported.

XNNPACK keeps them for the life of a process, and each lowering is a process forked from one that has imported this:
none has to trace them itself, which takes 2.5 s of CPU (executorch 1.5.1).
"""

from __future__ import annotations

from executorch.backends.xnnpack.partition.graphs import bilinear_2d, sdpa

PATTERNS = (*bilinear_2d.get_graphs(), *sdpa.get_graphs())
