"""Evidence on a bundle: public validators accept it, and every name in it is only a name."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from edgekit.attestation.statement import Statement
from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.errors import DataError, ReportMismatch
from edgekit.evidence.crosswalk import FRAMEWORKS
from edgekit.evidence.dossier import Dossier
from edgekit.evidence.facts import ABSENT, Facts
from edgekit.evidence.markdown_text import number
from edgekit.evidence.paper_trail import paper_trail
from edgekit.parity.data.governance import DataGovernance
from tests.conftest import Command
from tests.evidence.examples import HOSTILE, KEY, card, history, packed, report_of, sliced, write_all
from tests.report.examples import built, emulated

Trail = dict[str, bytes]


def trail_of(bundle: Bundle, histories: bool = True) -> Trail:
    folder = bundle.path.parent
    paths = [folder / "history.json"] if histories else []
    return paper_trail(Dossier.gather(bundle, None, paths), KEY)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_all(tmp_path_factory.mktemp("evidence"), slices=sliced())


@pytest.fixture(scope="module")
def trail(bundle: Bundle) -> Trail:
    return trail_of(bundle)


def bom_of(trail: Trail) -> Any:
    return json.loads(trail["bom.cdx.json"])


def rejection(bom: bytes) -> str | None:
    error = JsonStrictValidator(SchemaVersion.V1_7).validate_str(bom.decode())
    return None if error is None else str(error)


def test_the_public_validator_accepts_the_bill_of_materials_and_would_refuse_another(trail: Trail) -> None:
    assert rejection(trail["bom.cdx.json"]) is None
    broken = bom_of(trail)
    broken["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"][0]["limit"] = "1"
    assert rejection(json.dumps(broken).encode())


def test_every_gate_is_a_metric_with_slice_and_interval(trail: Trail, bundle: Bundle) -> None:
    report = report_of(bundle, slices=sliced())
    listed = bom_of(trail)["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    by_type = {metric["type"]: metric for metric in listed if metric["slice"] == "all evaluation samples"}
    measured = {gate.name: gate for gate in report.gates if gate.value is not None}
    assert measured.keys() <= by_type.keys()
    for name, gate in measured.items():
        assert float(by_type[name]["value"]) == gate.value
    drop = by_type["accuracy_drop"]["confidenceInterval"]
    gate = measured["accuracy_drop"]
    assert (float(drop["lowerBound"]), float(drop["upperBound"])) == (gate.low, gate.high)
    assert gate.low is not None
    assert gate.confidence == 0.95
    assert "confidenceInterval" not in by_type["size_ratio"]  # no sample of anything
    assert [each["confidenceInterval"] for each in listed if each["slice"] == "camera = b"] == [
        {"lowerBound": "0.001", "upperBound": "0.04"}
    ]


def test_the_bill_names_data_packages_energy_and_groups(trail: Trail) -> None:
    bom = bom_of(trail)
    considerations = bom["metadata"]["component"]["modelCard"]["considerations"]
    (used,) = considerations["environmentalConsiderations"]["energyConsumptions"]
    assert used["activityEnergyCost"] == {"unit": "kWh", "value": pytest.approx(0.0125 / 3.6e6)}
    assert considerations["fairnessAssessments"][0]["groupAtRisk"] == "camera = camera = b"
    refs = {each["bom-ref"] for each in bom["components"]}
    assert {"data:calibration", "data:evaluation"} <= refs
    assert set(bom["dependencies"][0]["dependsOn"]) == refs
    assert any(each.get("purl", "").startswith("pkg:pypi/") for each in bom["components"])


def test_a_report_without_a_sensor_has_no_energy(tmp_path: Path) -> None:
    bom = bom_of(trail_of(write_all(tmp_path, report=built())))
    assert "environmentalConsiderations" not in bom["metadata"]["component"]["modelCard"]["considerations"]


@pytest.mark.parametrize("report", [built, emulated])
def test_the_validator_accepts_what_other_reports_give(tmp_path: Path, report: Any) -> None:
    trail = trail_of(write_all(tmp_path, report=report()), histories=False)
    assert rejection(trail["bom.cdx.json"]) is None
    assert "facts/history.json" not in trail


def test_the_provenance_is_signed_and_names_the_bundle(trail: Trail, bundle: Bundle) -> None:
    envelope = json.loads(trail["provenance.intoto.jsonl"])
    payload = base64.b64decode(envelope["payload"])
    kind = envelope["payloadType"].encode()
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)
    key = load_pem_public_key(KEY.public.to_pem())
    key.verify(base64.b64decode(envelope["signatures"][0]["sig"]), message)  # type: ignore[call-arg, union-attr]
    statement = Statement.parse(payload)
    assert statement.predicate_type == "https://slsa.dev/provenance/v1"
    assert [each.name for each in statement.subjects] == ["tiny.edgekit", "model.onnx"]
    assert statement.subjects[0].sha256 == hashlib.sha256(bundle.path.read_bytes()).hexdigest()
    run = statement.predicate["runDetails"]
    assert {"facts/report.json", "bom.cdx.json", "model-card.md"} <= {each["name"] for each in run["byproducts"]}
    assert run["byproducts"] == [
        {"name": each["name"], "digest": {"sha256": hashlib.sha256(trail[each["name"]]).hexdigest()}}
        for each in run["byproducts"]
    ]
    packages = [each["uri"] for each in statement.predicate["buildDefinition"]["resolvedDependencies"] if "uri" in each]
    assert all(uri.startswith("pkg:pypi/") for uri in packages)


def test_every_data_set_of_model_and_verdict_has_its_digest_everywhere(tmp_path: Path) -> None:
    evaluated = card().sets[1].model_copy(update={"samples": 899, "sha256": "cd" * 32})
    bundle = write_all(tmp_path, governance=DataGovernance(sets=(card().sets[0], evaluated), overlaps=()))
    trail = trail_of(bundle, histories=False)
    assert rejection(trail["bom.cdx.json"]) is None
    expected = {"data:calibration": "ab" * 32, "data:evaluation": "cd" * 32}
    listed = {each["bom-ref"]: each["hashes"][0]["content"] for each in bom_of(trail)["components"] if "data" in each}
    assert listed == expected
    payload = json.loads(base64.b64decode(json.loads(trail["provenance.intoto.jsonl"])["payload"]))
    needed = payload["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert {each["name"]: each["digest"]["sha256"] for each in needed if "digest" in each} == expected
    assert all(digest.encode() in trail["model-card.md"] for digest in expected.values())


def test_the_same_input_gives_the_same_bytes(trail: Trail, bundle: Bundle) -> None:
    assert trail_of(bundle) == trail


def test_incidents_of_this_bundle_join_and_no_others(trail: Trail, bundle: Bundle) -> None:
    card = trail["model-card.md"].decode()
    assert "agreement 0.91, at least 0.98" in card
    kept = json.loads(trail["facts/history.json"])["histories"][0]["history"]
    assert [event["digest"] for event in kept] == [bundle.digest] * 2
    assert "1 incident of this bundle in 1 history of devices" in trail["nist-ai-rmf.md"].decode()
    assert "no history of a device was given" in trail_of(bundle, histories=False)["nist-ai-rmf.md"].decode()


def test_a_history_of_several_devices_is_read_device_by_device(bundle: Bundle, tmp_path: Path) -> None:
    one = history(bundle)
    several = {"schema": 1, "devices": [one, {**one, "device": "pi-lab-02", "url": "ssh://x", "error": None}]}
    (tmp_path / "fleet.json").write_text(json.dumps(several))
    histories = Dossier.gather(bundle, None, [tmp_path / "fleet.json"]).histories
    assert [(each.device, len(each.events), each.others) for each in histories] == [
        ("pi-lab-01", 2, 1),
        ("pi-lab-02", 2, 1),
    ]


def test_links_of_every_page_lead_to_files_with_the_stated_digests(trail: Trail) -> None:
    for page in (name for name in trail if name.endswith(".md")):
        text = trail[page].decode()
        assert set(re.findall(r"\]\(([^)]+)\)", text)) <= trail.keys()
        for name, digest in re.findall(r"\]\(([^)]+)\)(?:: SHA-256| \|) `([0-9a-f]{64})`", text):
            assert hashlib.sha256(trail[name]).hexdigest() == digest


def test_every_requirement_leaves_a_question_to_a_person_and_names_facts_that_exist(bundle: Bundle) -> None:
    facts = Facts.of(Dossier.gather(bundle, None, ()))
    known = facts.by_name.keys() | ABSENT.keys()
    for framework in FRAMEWORKS:
        numbers = [each.number for each in framework.requirements]
        assert len(set(numbers)) == len(numbers)
        for each in framework.requirements:
            assert each.question.endswith("?")
            assert set(each.facts) <= known, each.number


def test_hostile_names_are_only_names(tmp_path: Path) -> None:
    bundle = packed(tmp_path, HOSTILE, HOSTILE)
    report = report_of(bundle, sentence=HOSTILE, slices=sliced(HOSTILE))
    (tmp_path / "report.json").write_text(report.to_json(), "utf-8")
    (tmp_path / "history.json").write_text(json.dumps(history(bundle, HOSTILE)))
    trail = trail_of(bundle)
    assert rejection(trail["bom.cdx.json"]) is None
    for page in (name for name in trail if name.endswith(".md")):
        text = trail[page].decode()
        _, _, body = text.partition("\n---\n") if text.startswith("---") else ("", "", text)
        assert "<script" not in body
        assert not re.search(r"(?<!\\)\]\(javascript", body)
        assert not {"\u202e", "\u2066"} & set(text)
    front = yaml.safe_load(trail["model-card.md"].decode().split("\n---\n")[0].removeprefix("---\n"))
    assert front["model-index"][0]["name"] == HOSTILE.replace("\u202e", " ").replace("\u2066", " ")
    assert front["pipeline_tag"] == "image-classification"
    metric = front["model-index"][0]["results"][0]["metrics"][0]
    assert (metric["type"], metric["value"]) == ("top1", report.candidate.score and report.candidate.score.value)


def test_a_report_of_another_bundle_is_refused(tmp_path: Path) -> None:
    bundle, other = write_all(tmp_path / "one"), write_all(tmp_path / "two", name="another")
    with pytest.raises(ReportMismatch, match="has no report of the bundle"):
        Dossier.gather(bundle, other.path.parent, ())
    changed = report_of(bundle)
    file = changed.artifact.files[0].model_copy(update={"sha256": "0" * 64})
    artifact = changed.artifact.model_copy(update={"files": (file,)})
    (tmp_path / "r.json").write_text(changed.model_copy(update={"artifact": artifact}).to_json(), "utf-8")
    with pytest.raises(ReportMismatch, match=r"another 'model\.onnx' than the bundle"):
        Dossier.gather(bundle, tmp_path / "r.json", ())
    with pytest.raises(DataError, match="there is no report"):
        Dossier.gather(bundle, tmp_path, ())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "it has no 'device' and 'history'"),
        ('{"device": "x", "history": [{"digest": 1}]}', r"'0\.digest'"),
        ("{", "cannot be read as a history"),
        ('{"device": "x", "history": [{"when": "now", "digest": null, "verdict": "won"}]}', "verdict"),
    ],
)
def test_what_is_no_history_is_told(bundle: Bundle, tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "h.json").write_text(content)
    with pytest.raises(DataError, match=words):
        Dossier.gather(bundle, None, [tmp_path / "h.json"])


def test_the_command_writes_what_can_be_checked_and_loses_nothing(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "config"))
    bundle = write_all(tmp_path / "out")
    path, out = bundle.path, tmp_path / "evidence"
    assert "which is not among your keys" in command("evidence", path, "--out", out).refused("EK303", 3)
    assert not out.exists()
    public = tmp_path / "maker.pub"
    public.write_bytes(KEY.public.to_pem())
    KeyStore.of_user().trust(public)
    ended = command("evidence", path, "--out", out, "--history", path.with_name("history.json"), "--json")
    assert ended.code == 0, ended.err
    assert ended.document["digest"] == bundle.digest
    assert "the provenance is signed by" in ended.err
    assert subprocess.run(["sha256sum", "--quiet", "-c", "SHA256SUMS"], cwd=out, check=False).returncode == 0
    assert command("evidence", path, "--out", out).code == 0  # its own files are replaced
    answered = out / "iso-42001.md"
    answered.write_text(answered.read_text() + "\nA.2.2: our policy is …\n")
    refused = command("evidence", path, "--out", out).refused("EK100", 2)
    assert "it would be lost" in refused
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "SHA256SUMS").write_text(f"{'0' * 64}  holiday.jpg\n")
    assert "lists no evidence" in command("evidence", path, "--out", theirs).refused("EK100", 2)
    assert [each.name for each in theirs.iterdir()] == ["SHA256SUMS"]
    assert "our policy" in answered.read_text()
    assert "is a file" in command("evidence", path, "--out", path).refused("EK104", 2)


@pytest.mark.parametrize("value", [0.0, 1.0, 1e-05, 1e22, -3.5e-09, 0.9933333333333333])
def test_a_number_is_one_to_every_reader_of_yaml(value: float) -> None:
    assert yaml.safe_load(f"value: {number(value)}") == {"value": value}
