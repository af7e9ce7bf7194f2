"""Records of data sets, their overlap and their terms, the gates on them, and the data card."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from edgekit.parity.data.card import DataCard
from edgekit.parity.data.governance import (
    DataGovernance,
    balance,
    constant,
    measured_record,
    overlap_record,
    stated_record,
)
from edgekit.parity.data.labels import LabelCheck
from edgekit.parity.data.terms import violations
from edgekit.parity.gates import GateResult, judge, verdict
from edgekit.report.sections.governance import governance as data_section
from edgekit.samples import Samples
from edgekit.specs.policy import Policy
from edgekit.specs.profile import Gates
from edgekit.specs.project import DataSet
from tests.parity.data.pictures import recompressed, shifted, textured
from tests.parity.examples import comparison
from tests.parity.gate_examples import facts

MIT = DataSet(path="secret/folder.npz", licence="MIT", source="drawn here", personal=False)


def samples(pictures: Any) -> Samples:
    return Samples({"image": pictures}, np.arange(len(pictures)) % 4)


@pytest.fixture(scope="module")
def leaky() -> DataGovernance:
    """Thirty of 300 evaluation pictures are in calibration as well."""
    evaluation, calibration = textured(300, 0), textured(120, 1)
    calibration[:10] = evaluation[:10]
    calibration[10:20] = shifted(evaluation[10:20])
    calibration[20:30] = recompressed(evaluation[20:30])
    return DataGovernance(
        sets=(measured_record("calibration", MIT, samples(calibration), ("a", "b", "c", "d")),),
        overlaps=(overlap_record("calibration", samples(evaluation), samples(calibration)),),
    )


def gates(governance: DataGovernance | None, **stated: Any) -> dict[str, GateResult]:
    known = facts(replace(comparison(), governance=governance))
    return {gate.name: gate for gate in judge(Gates.model_validate(stated), known)}


def test_thirty_duplicates_fail_the_default_gate_though_accuracy_passes(leaky: DataGovernance) -> None:
    judged = gates(leaky, accuracy_drop={"max": 0.05})
    gate = judged["calibration_overlap"]
    assert (gate.value, gate.max, gate.outcome) == (0.1, 0, "failed")
    assert "30 of 300 samples, 10 exact and 20 near, among 120 of calibration" in gate.meaning
    assert "calibration_overlap = { max = 1 }" in gate.meaning
    assert judged["accuracy_drop"].outcome == "passed"
    assert verdict(judged.values()) == "failed"


def test_a_project_with_one_set_may_say_so(leaky: DataGovernance) -> None:
    assert gates(leaky, calibration_overlap={"max": 1})["calibration_overlap"].outcome == "passed"


def test_the_same_source_stated_for_both_is_named() -> None:
    pictures = samples(textured(25, 2))
    overlap = overlap_record("calibration", pictures, pictures, "data.npz")
    gate = gates(DataGovernance(sets=(), overlaps=(overlap,)))["calibration_overlap"]
    assert (gate.value, gate.outcome) == (1, "failed")
    assert "both state the same source, 'data.npz'" in gate.meaning


def test_gates_without_their_set_are_undecided(leaky: DataGovernance) -> None:
    named = {"training_overlap": {"max": 0}, "licences": {"max": 0}, "mislabelled_share": {"max": 0}}
    judged = gates(leaky, **named)
    assert {judged[name].outcome for name in named} == {"undecided"}
    # A recipe that calibrates nothing leaks nothing by it, whatever limit a project states.
    alone = gates(DataGovernance(sets=()), calibration_overlap={"max": 1})["calibration_overlap"]
    assert (alone.outcome, alone.value) == ("not measurable", None)
    assert "calibration_overlap" not in gates(None)
    assert "the data sets are not known here" in gates(None, **named)["licences"].meaning


def test_a_licence_that_the_policy_does_not_name_fails() -> None:
    policy = Policy(licences=("mit", "CC BY 4.0"))
    sets = {"calibration": MIT, "evaluation": MIT.model_copy(update={"licence": "GPL-3.0"})}
    told = violations(policy, sets)
    assert told == ("evaluation: its licence, 'GPL-3.0', is not among those of [policy] licences",)
    governance = DataGovernance(sets=(), policy=True, violations=told)
    gate = gates(governance)["licences"]
    assert (gate.value, gate.outcome) == (1, "failed")
    assert "GPL-3.0" in gate.meaning
    assert gates(DataGovernance(sets=(), policy=True))["licences"].outcome == "passed"
    assert violations(policy, {"training": MIT.model_copy(update={"licence": "cc-by-4.0"})}) == ()


def test_personal_data_and_consent_are_asked_for_by_a_policy() -> None:
    silent = DataSet(path="x.npz", licence="MIT", source="streets")
    stated = {"personal": True, "consent": "signed forms of 2026"}
    assert "does not state personal = false" in violations(Policy(personal=False), {"evaluation": silent})[0]
    assert "states neither consent" in violations(Policy(consent=True), {"evaluation": silent})[0]
    assert violations(Policy(consent=True), {"evaluation": silent.model_copy(update=stated)}) == ()
    assert violations(Policy(consent=True, personal=False), {"evaluation": MIT}) == ()


def test_a_mislabelled_tenth_fails_with_its_count_and_confidence() -> None:
    labels = LabelCheck(samples=1000, suspicious=100, share=0.1, thresholds=(0.9, 0.9))
    governance = DataGovernance(sets=(), labels=labels)
    gate = gates(governance, mislabelled_share={"max": 0.05, "confidence": 0.95})["mislabelled_share"]
    assert gate.outcome == "failed"
    assert "100 of 1,000 samples" in gate.meaning
    near = gates(governance, mislabelled_share={"max": 0.095, "confidence": 0.95})["mislabelled_share"]
    assert near.outcome == "undecided"


def test_a_set_is_described_by_counts() -> None:
    pictures = textured(50, 3)
    pictures[7] = 9
    pictures[8] = pictures[9]
    record = measured_record("calibration", MIT, samples(pictures), ("a", "b", "c", "d", "e"))
    assert (record.samples, record.kind, record.constant, record.exact_duplicates) == (50, "pictures", 1, 2)
    assert record.classes == {"a": 13, "b": 13, "c": 12, "d": 12, "e": 0}
    assert constant({"x": np.zeros((3, 1))}) == 0
    assert balance(np.array([0.5, 1.5]), ()) is None


def test_the_section_names_counts_and_twins(leaky: DataGovernance) -> None:
    shown = data_section(leaky)
    assert shown is not None
    assert shown.rows[0][:3] == ("calibration", "120", "MIT")
    assert any("30 of 300 samples" in note for note in shown.notes)
    assert data_section(None) is None


def test_a_card_has_no_path_and_always_the_same_bytes(leaky: DataGovernance) -> None:
    hostile = MIT.model_copy(update={"source": "a | b\n# c", "consent": "forms"})
    card = DataCard(schema_version=1, model="net", sets=(*leaky.sets, stated_record("evaluation", hostile)))
    assert card.to_json() == DataCard.model_validate(json.loads(card.to_json())).to_json()
    text = card.to_markdown().decode()
    assert "secret" not in text + card.to_json().decode()
    assert "\n# c" not in text
    assert r"a \| b" in text
    assert "120" in text
