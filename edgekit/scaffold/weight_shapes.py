"""Names and shapes of a state dict: what they say of the network's input."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from edgekit.errors import ModelFileError
from edgekit.specs.factory import in_a_line

PREFIXES = ("module.", "model.", "_orig_mod.", "net.", "network.")
"""Prefixes that `[model] weights` takes away, and `load_state_dict` does not."""


@dataclass(frozen=True)
class WeightShapes:
    """Shapes of the tensors of a state dict, in its order."""

    shapes: Mapping[str, tuple[int, ...]]
    plain: bool
    """True if the file is the state dict itself, under the network's own names: `load_state_dict` takes it."""

    @property
    def channels(self) -> int | None:
        """Channels of the pictures that the first convolution takes; None if it takes none."""
        first = next((shape for shape in self.shapes.values() if len(shape) == 4), None)
        return first[1] if first and first[1] in (1, 3) else None


def read_weight_shapes(path: Path) -> WeightShapes:
    """Read a state dict's shapes; tensors stay in the file, and no code of it is run. Raises ModelFileError."""
    import torch
    from torch import Tensor

    try:
        if path.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            content: object = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # of the unpickler, the zip reader or the rebuilding of tensors
        hint = "copy or download it again; torch.load(FILE, weights_only=True) must read it"
        raise ModelFileError(f"'{path.name}' cannot be read: {in_a_line(error)}", hint=hint) from error
    tables = [content, *content.values()] if isinstance(content, Mapping) else []
    states = [
        table
        for table in tables
        if isinstance(table, Mapping) and any(isinstance(each, Tensor) for each in table.values())
    ]
    if not states:
        raise ModelFileError(f"'{path.name}' holds no state dict", hint="torch.save(network.state_dict(), FILE)")
    shapes = {str(name): tuple(value.shape) for name, value in states[0].items() if isinstance(value, Tensor)}
    whole = states[0] is content and len(shapes) == len(states[0])
    return WeightShapes(shapes, whole and not any(all(name.startswith(each) for name in shapes) for each in PREFIXES))
