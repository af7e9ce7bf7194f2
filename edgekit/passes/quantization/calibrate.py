"""Calibration: a prepared program runs on the calibration set, and its observers record ranges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.fx import GraphModule, Interpreter, Node

from edgekit.errors import PassError
from edgekit.passes.module_patterns import module_path
from edgekit.passes.quantization.simulate import observers

if TYPE_CHECKING:
    from edgekit.passes.base import Sample


def calibrate(prepared: GraphModule, samples: Sequence[Sample], picked: Sequence[int]) -> None:
    """Run the observers on the samples with the indices `picked`, one at a time: the same sums on every machine.

    Raises PassError, which names the layer and the sample, if a value is not finite.
    """
    with torch.no_grad():
        for index in picked:
            prepared(*samples[index])
    if all(_finite(observer) for _, observer in observers(prepared)):
        return
    for index in picked:
        _Search(prepared, index).run(*samples[index])


def _finite(observer: Any) -> bool:
    ends = [end for name in ("min_val", "max_val") if (end := getattr(observer, name, None)) is not None]
    # One that derives its scale from others has no range; one that nothing reached has an infinite one, inside out.
    if not ends or bool((ends[0] > ends[1]).all()):
        return True
    return all(bool(torch.isfinite(end).all()) for end in ends)


class _Search(Interpreter):
    """Interpreter that stops at the first observed value that is not finite."""

    def __init__(self, prepared: GraphModule, index: int) -> None:
        super().__init__(prepared)
        self.index = index
        self.observed = {node for node, _ in observers(prepared)}

    def run_node(self, node: Node) -> Any:
        if node in self.observed:
            source = node.args[0]
            assert isinstance(source, Node)
            self._check(source, self.env[source])
        with torch.no_grad():
            return super().run_node(node)

    def _check(self, source: Node, values: Tensor) -> None:
        if bool(torch.isfinite(values).all()):
            return
        kind = "NaN" if bool(torch.isnan(values).any()) else "infinity"
        if source.op == "get_attr":
            raise PassError(f"weight '{source.target}' holds {kind}", hint="train or load the network again")
        where = f"module '{module_path(source)}'" if module_path(source) else f"'{source.name}'"
        raise PassError(
            f"{where} gives {kind} on calibration sample {self.index}",
            hint="look at that sample; or keep the module in float: name it in [quantize] skip",
        )
