"""TorchScript, converted into a network by torch's own converter and compared with the script on examples."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from edgekit.errors import UnsupportedModelFile
from edgekit.frontend.conversion import compare_answers
from edgekit.frontend.exported_network import exported_network
from edgekit.frontend.network_examples import network_examples
from edgekit.specs.factory import in_a_line
from edgekit.specs.inputs import Input

WAY_OUT = "have a factory return the nn.Module as it was before torch.jit.script or torch.jit.trace, with its weights"
NOISY = ("torch._export.non_strict_utils", "torch._export.converter", "torch.export")
Script = torch.jit.ScriptModule


def read_script(path: Path, stated: str, inputs: Mapping[str, Input]) -> nn.Module:
    """Read a TorchScript archive as a network. Raises UnsupportedModelFile, and what `converted` raises."""
    try:
        with warnings.catch_warnings(action="ignore"):
            script: Script = torch.jit.load(io.BytesIO(path.read_bytes()), "cpu")  # type: ignore[no-untyped-call]
    except Exception as error:  # of the archive, or an operator that is not registered
        raise UnsupportedModelFile(f"'{stated}' cannot be loaded: {in_a_line(error)}", hint=WAY_OUT) from error
    return converted(script, inputs, stated)


def converted(script: Script, inputs: Mapping[str, Input], stated: str) -> nn.Module:
    """Convert a script module into a network that gives the same answers on examples.

    stated: its name in messages. Raises UnsupportedModelFile if it cannot be converted, ConversionMismatch if the
    answers differ, and what `exported_network` raises.
    """
    from torch._export.converter import TS2EPConverter

    first, second = (network_examples(inputs, seed) for seed in (0, 1))
    try:
        with _quiet(), torch.no_grad():
            script.eval()
            expected = [_answers(script, example) for example in (first, second)]
            exported = TS2EPConverter(script, first).convert()
            network = exported_network(exported, inputs, stated)
            answers = [_answers(network, example) for example in (first, second)]
    except Exception as error:  # whatever the script, the converter or the exporter raise
        if isinstance(error, UnsupportedModelFile) or hasattr(error, "exit_code"):
            raise
        raise UnsupportedModelFile(
            f"'{stated}' is TorchScript that torch cannot convert: {in_a_line(error)}", hint=WAY_OUT
        ) from error
    for one, other in zip(expected, answers, strict=True):
        compare_answers(one, other, stated, WAY_OUT)
    return network


def _answers(network: nn.Module, example: tuple[Tensor, ...]) -> list[Tensor]:
    results = network(*(value.clone() for value in example))
    return [leaf.detach() for leaf in pytree.tree_leaves(results) if isinstance(leaf, Tensor)]


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Silence the converter's notes on shapes that it fixes, which are fixed here in any case."""
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
