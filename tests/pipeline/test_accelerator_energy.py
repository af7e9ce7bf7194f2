"""Energy in the choice of an accelerator: what a profile asks for, and what people are shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from edgekit.cli.slot_table import remarks
from edgekit.devices.protocol import AcceleratorChosen
from edgekit.pipeline.accelerator_trial import accelerator_remark
from edgekit.pipeline.stages.acceleration import acceleration_of
from edgekit.specs.catalog import Catalog
from edgekit.specs.profile import AcceleratorPreference, Bound, Gates

PHONE = Catalog.default().target("snapdragon-8-gen-3")
WORDS = "cpu 3.2 mJ, litert-gpu 1.1 mJ an inference (battery fuel gauge)"


def chosen(*joules: float) -> dict[str, Any]:
    measured = [
        {
            "kind": kind,
            "why": None,
            "energy": {"joules": each, "uncertainty": 0.1, "method": "battery fuel gauge", "whole": True},
        }
        for kind, each in zip(("cpu", "litert-gpu"), joules, strict=False)
    ]
    start = {"kind": "litert-gpu", "why": "0.50 ms, and 1.00 ms on the CPU", "told": False, "options": []}
    return {**start, "surroundings": {}, "measured": measured, "expired": None}


def test_status_and_report_show_what_an_inference_draws_where_a_sensor_told_it() -> None:
    document = chosen(0.0032, 0.0011)
    remark = accelerator_remark(AcceleratorChosen.model_validate(document))
    assert remark == f"it runs on litert-gpu: 0.50 ms, and 1.00 ms on the CPU; {WORDS}"
    slot = {"accelerator": document, "whole": True}
    assert f"slot 'a' runs on litert-gpu: 0.50 ms, and 1.00 ms on the CPU; {WORDS}" in remarks(
        "phone", {"current": "a", "slots": {"a": slot}}
    )
    without = accelerator_remark(AcceleratorChosen.model_validate(chosen()))
    assert without == "it runs on litert-gpu: 0.50 ms, and 1.00 ms on the CPU"


@pytest.mark.parametrize(
    ("prefer", "gates", "slower"),
    [
        ("latency", Gates(), 1.0),
        ("energy", Gates(), None),
        ("energy", Gates(accelerator_not_slower=Bound(max=2.0)), 2.0),
    ],
)
def test_a_profile_that_prefers_energy_lets_an_accelerator_be_slower_unless_it_says_how_much(
    prefer: Any, gates: Gates, slower: float | None
) -> None:
    profile = SimpleNamespace(accelerator=AcceleratorPreference(prefer=prefer), gates=gates)
    request = SimpleNamespace(target=PHONE, runtime=SimpleNamespace(backend="tflite"), profile=profile)
    offer = acceleration_of(cast(Any, request), "tflite")
    assert offer is not None
    assert (offer.kinds, offer.prefer, offer.slower) == (("litert-gpu",), prefer, slower)
