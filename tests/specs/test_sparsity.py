"""Which pruning patterns gain something where."""

from __future__ import annotations

import pytest

from edgekit.errors import Misfit
from edgekit.specs.catalog import Catalog, builtin_root
from edgekit.specs.compression import Prune
from edgekit.specs.profile import Profile
from edgekit.specs.sparse_kernels import refusal

TWO_OF_FOUR = Prune(pattern="2:4")
UNSTRUCTURED = Prune(pattern="unstructured", ratio=0.8)


@pytest.mark.parametrize(
    ("recipe", "target", "backend", "reason"),
    [
        (Prune(ratio=0.5), "raspberry-pi-5", "tflite", None),
        (TWO_OF_FOUR, "jetson-orin-nano", "onnx", None),
        (TWO_OF_FOUR, "jetson-orin-nano", "executorch", "has no sparse kernels, only TensorRT has"),
        (TWO_OF_FOUR, "raspberry-pi-5", "onnx", "'raspberry-pi-5' has no sparse tensor cores"),
        (UNSTRUCTURED, "jetson-orin-nano", "onnx", "unstructured zeros gain nothing"),
        (UNSTRUCTURED, "host", "tflite", "'tflite' on 'host' multiplies by them like by any weight"),
    ],
)
def test_zeros_are_refused_where_they_gain_nothing(
    recipe: Prune, target: str, backend: str, reason: str | None
) -> None:
    board = Catalog((builtin_root(),)).target(target)
    found = refusal(recipe, board, board.select_runtime(backend))
    assert (found is None) if reason is None else (found is not None and reason in found)


def test_a_profile_that_asks_for_them_does_not_fit() -> None:
    board = Catalog((builtin_root(),)).target("raspberry-pi-5")
    profile = Profile.model_validate(
        {"schema": 1, "id": "sparse", "summary": "Zeros.", "families": ["raspberry-pi"], "prune": {"pattern": "2:4"}}
    )
    with pytest.raises(Misfit, match="no sparse tensor cores"):
        profile.check(board, board.runtime[0])
