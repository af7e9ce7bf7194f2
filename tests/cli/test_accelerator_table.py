"""Rows on an accelerator: what it runs and refuses, and how its answers differ."""

from __future__ import annotations

import math

from edgekit.cli.accelerator_table import accelerator_json, accelerator_rows
from edgekit.ir.measurement import AcceleratorUse
from edgekit.measure.device.accelerator_comparison import AgainstCpu

PARTLY = AcceleratorUse(
    "litert-gpu", "Mali\x1b[31m", "1.2", False, "float16", 10, 7, (("RESHAPE", 6), ("CAST", 1)), True, "CAST: INT64"
)


def test_what_stays_on_the_cpu_is_said_and_no_more_than_is_known() -> None:
    rows = dict(accelerator_rows(PARTLY, None))
    assert rows["it runs"] == "7 of 10 operators; the others run on the CPU"
    assert rows["refused by it"] == "some of 6 RESHAPE, some of 1 CAST"
    assert rows["its arithmetic"] == "float16"
    assert "\x1b" not in rows["accelerator"]
    assert "SOFTWARE" not in rows["accelerator"]
    assert AcceleratorUse("k", None, None, True, None, 3, 1, (("CAST", 2),)).refused == ("2 CAST",)


def test_the_worst_output_is_shown_and_equal_answers_are_no_number() -> None:
    beside = AgainstCpu({"a": math.inf, "b": 31.04}, 0.985, 200)
    assert dict(accelerator_rows(PARTLY, beside))["beside the CPU"].startswith("SQNR 31.0 dB in 'b', the same largest")
    assert accelerator_json(PARTLY, beside)["against_cpu"]["sqnr_db"] == {"a": None, "b": 31.04}
    assert accelerator_json(PARTLY, beside)["fully"] is False
    equal = AgainstCpu({"a": math.inf}, None, 3)
    assert dict(accelerator_rows(PARTLY, equal))["beside the CPU"] == "equal answers, 3 samples"
