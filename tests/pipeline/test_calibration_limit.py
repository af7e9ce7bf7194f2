"""Number of calibration samples: stated, or what a fixed size of memory holds."""

from __future__ import annotations

import pytest

from edgekit.pipeline.stages.calibration_limit import calibration_limit, limit_remark
from edgekit.specs.compression import Quantize
from edgekit.specs.inputs import Input
from edgekit.specs.preprocess import Preprocess


@pytest.mark.parametrize(
    ("shape", "limit"), [((3, 32, 32), 512), ((3, 1024, 1024), 85), ((3, 8192, 8192), 32), ((1 << 19,), 512)]
)
def test_large_samples_are_fewer(shape: tuple[int, ...], limit: int) -> None:
    inputs = {"x": Input(shape=shape)}
    assert calibration_limit(Quantize(), inputs) == limit
    assert calibration_limit(Quantize(samples=400), inputs) == 400, "a number that is stated holds"
    (sentence,) = limit_remark(Quantize(), inputs) or ("",)
    assert (f"at most {limit} calibration samples" in sentence) == (limit < 512)


def test_the_bytes_are_those_of_the_raw_samples() -> None:
    pixels = Input(shape=(3, 1024, 1024), preprocess=Preprocess.model_validate({"from": "uint8 NHWC"}))
    assert calibration_limit(Quantize(), {"left": pixels, "right": pixels}) == (1 << 30) // (2 * 3 << 20)
