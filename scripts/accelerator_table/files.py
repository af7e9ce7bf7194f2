"""Files of the table: a network for pictures of 8 × 8 pixels, lowered once for each backend, precision and runtime."""

from __future__ import annotations

import importlib
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from edgekit import plugins
from edgekit.backends.store import save_artifact
from edgekit.ir.program import Program
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.passes.quantization.quantize import QuantizePass
from scripts.accelerator_table.cell import RECIPES, Cell

SAMPLES = 8


class Classifier(nn.Module):
    """Convolution, pooling and two linear layers: what every accelerator has kernels for."""

    def __init__(self) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(256, 64),
            nn.ReLU(),
            nn.Linear(64, 10),
        )

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.model(image)
        return scores


@dataclass
class Files:
    """Lowered files below `folder`, each made when it is first asked for; the samples are in `folder/samples`."""

    folder: Path
    _made: dict[tuple[str, ...], Path] = field(default_factory=dict)

    def __post_init__(self) -> None:
        generator = torch.Generator().manual_seed(1)
        self._samples = [(torch.randn(1, 1, 8, 8, generator=generator),) for _ in range(SAMPLES)]
        (self.folder / "samples").mkdir()
        np.save(self.folder / "samples" / "image.npy", torch.cat([image for (image,) in self._samples]).numpy())
        torch.manual_seed(0)
        edges = (TensorSpec("image", "float32", (1, 1, 8, 8)),), (TensorSpec("scores", "float32", (1, 10)),)
        with torch.no_grad():
            self._program = Program(torch.export.export(Classifier().eval(), self._samples[0]), Signature(*edges))

    def of(self, cell: Cell) -> Path:
        """Folder with the artifact of a cell; cells whose runtime takes the same file share it."""
        key = (cell.backend, cell.precision, cell.runtime.activations, cell.runtime.delegates[0])
        if key not in self._made:
            self._made[key] = self._lowered(cell, self.folder / "-".join(key))
        return self._made[key]

    def _lowered(self, cell: Cell, out: Path) -> Path:
        """Lower the network as a build does. Raises what the backend raises."""
        backend, runtime, recipe = plugins.load("backends", cell.backend)(), cell.runtime, RECIPES[cell.precision]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for module in backend.preload:
                importlib.import_module(module)
        late = recipe if cell.precision in backend.at_lowering else None
        program = self._program
        if recipe and not late:
            program = QuantizePass(recipe, lambda wanted: backend.quantization(wanted, runtime), self._samples)(
                program, self._samples[:2]
            )
        out.mkdir()
        save_artifact(backend.lower(program, cell.target, runtime, out, late), out)
        return out
