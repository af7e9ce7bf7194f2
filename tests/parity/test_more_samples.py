"""Advice on more samples is never to measure what was measured already, and data gates without data are open."""

from __future__ import annotations

import pytest

from edgekit.parity.gate_readings import DATA_GATES
from edgekit.parity.gates import judge, verdict
from edgekit.parity.more_samples import measure_more, perturb_more
from edgekit.specs.profile import Gates
from tests.parity.examples import comparison
from tests.parity.gate_examples import facts


@pytest.mark.parametrize(
    ("measured", "available", "words"),
    [
        (40, None, "measure more: --samples"),
        (40, 900, "measure more: --samples 900"),
        (40, 40, "all 40 samples of the set were measured: add samples to [data] evaluation"),
        (1, 1, "the only sample of the set was measured: add samples to [data] evaluation"),
    ],
)
def test_more_are_measured_where_there_are_more(measured: int, available: int | None, words: str) -> None:
    assert measure_more(measured, available) == words
    assert perturb_more(measured, measured, available) == words
    assert perturb_more(20, 2000, available) == "perturb more: --set profile.robustness.samples=2000"


def test_a_data_gate_without_its_data_is_open_and_never_passed_over() -> None:
    named = Gates.model_validate({name: {"max": 0.5} for name in DATA_GATES})
    judged = {gate.name: gate for gate in judge(named, facts(comparison()))}
    assert {judged[name].outcome for name in DATA_GATES} == {"undecided"}
    assert {verdict([judged[name]]) for name in DATA_GATES} == {"undecided"}
    assert all("It is undecided: " in judged[name].meaning for name in DATA_GATES)
