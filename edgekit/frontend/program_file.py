"""Programs that torch.export.save wrote (`.pt2`), read as networks."""

from __future__ import annotations

import io
import logging
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.ao.quantization.fx._decomposed  # registers the operators of quantized programs
from torch import nn

from edgekit.errors import UnsupportedModelFile
from edgekit.frontend.custom_operators import refusal
from edgekit.frontend.exported_network import exported_network
from edgekit.specs.factory import in_a_line
from edgekit.specs.inputs import Input
from edgekit.untrusted.torch_file import program_version

LOG = logging.getLogger("edgekit.frontend")


def read_program(path: Path, stated: str, inputs: Mapping[str, Input]) -> nn.Module:
    """Read the program as a network that takes the project's inputs.

    stated: path as the project has it. Raises UnsupportedModelFile, UnsupportedOperator for an operator of the user's
    own code, and what `exported_network` raises.
    """
    written_by = program_version(path)
    try:
        # Of bytes, so that the file is a part of the cache's keys.
        exported = torch.export.load(io.BytesIO(path.read_bytes()))
    except Exception as error:  # of the archive, its schema, or an operator that is not registered
        unknown = _unknown_operator(path)
        if unknown is not None:
            raise unknown from error
        other = written_by and written_by.partition("+")[0] != torch.__version__.partition("+")[0]
        versions = f": torch {written_by} wrote it, this is {torch.__version__}" if other else ""
        call = f"torch.export.save(torch.export.export(network.eval(), example_inputs), '{stated}')"
        raise UnsupportedModelFile(
            f"'{stated}' cannot be loaded{versions}: {in_a_line(error)}",
            hint=f"export it again with torch {torch.__version__.partition('+')[0]}: {call}",
        ) from error
    LOG.info("program '%s' of torch %s", stated, written_by or "of unknown version")
    return exported_network(exported, inputs, stated)


def _unknown_operator(path: Path) -> Exception | None:
    try:
        return refusal(path)
    except (KeyError, ValueError, TypeError):  # another schema
        return None
