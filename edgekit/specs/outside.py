"""Data from outside of the distribution that a model is made for: `outside` under `[data]` in `edgekit.toml`."""

from __future__ import annotations

from typing import Literal

OutsideScoreName = Literal["max-softmax", "max-logit", "energy"]
NOISE: Literal["noise"] = "noise"
"""Word that states generated samples in the place of a data set."""
