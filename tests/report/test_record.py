import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edgekit.errors import DataError
from edgekit.ir.artifact import Artifact, Fragments, Operator, Placement
from edgekit.parity.gates import GateResult
from edgekit.report.assemble import describe
from edgekit.report.record import FragmentsRecord
from edgekit.report.report import Document, Report, json_schema, read_reports, to_json
from edgekit.specs.profile import Gates
from tests.parity.examples import environment
from tests.report.examples import ARTIFACT, built, compared, failed, made, passed, profile, stood_in

SCHEMA = Path(__file__).parents[2] / "docs" / "report.schema.json"


def values(report: Report) -> dict[str, Any]:
    document = json.loads(report.to_json())
    assert isinstance(document, dict)
    return document


def test_a_report_holds_every_key_of_the_contract() -> None:
    record = values(passed())
    assert list(record) == [
        "schema", "verdict", "sentence", "target", "profile", "backend", "device", "host_stand_in", "gates", "artifact",
        "reference", "candidate", "accuracy_drop", "accuracy_drop_bounds", "agreement", "also_measured", "flips",
        "mcnemar_p", "mcnemar_mid_p", "sqnr_db", "stages", "bundle", "versions", "confusion",
    ]  # fmt: skip
    assert list(record["artifact"]) == [
        "format", "files", "size_bytes", "float_size_bytes", "size_ratio", "integer_share", "integer_macs_share",
        "delegated_share", "fallback_share", "fragments", "macs", "placement_basis", "signature",
    ]  # fmt: skip
    assert list(record["candidate"]) == [
        "kind", "metric", "samples", "load_ns", "first_ns", "latency_ns", "peak_rss_bytes", "environment",
    ]  # fmt: skip
    assert list(record["candidate"]["metric"]) == ["name", "value", "low", "high", "unit", "higher_is_better"]
    assert record["also_measured"] == [
        {"name": "top5", "unit": "share", "reference": pytest.approx(0.9376), "candidate": pytest.approx(0.9364)},
    ]  # fmt: skip
    assert list(record["stages"][0]) == ["name", "seconds", "cached"]
    assert list(record["bundle"]) == ["path", "digest", "signer"]
    assert list(record["artifact"]["files"][0]) == ["path", "bytes", "sha256"]


def test_what_is_not_known_is_null_and_what_does_not_apply_is_left_out() -> None:
    record = values(built())
    assert record["device"] is None
    assert record["candidate"]["latency_ns"] == {
        "count": 0, "valid": False, "reason": "latency was not measured", "p50": None, "p90": None,
    }  # fmt: skip
    assert "max" not in record["gates"][0]
    assert "min" not in record["gates"][2]
    assert record["gates"][5]["value"] is None
    assert record["artifact"]["signature"]["inputs"][0]["affine"] is None


def test_a_percentile_that_the_count_supports_is_there() -> None:
    record = values(passed())
    latency = record["candidate"]["latency_ns"]
    assert latency.pop("histogram")["counts"][0] == 128
    assert latency == {"count": 128, "valid": True, "p50": 2_500_000, "p90": 2_500_000}
    assert (record["reference"]["latency_ns"]["p95"], record["reference"]["latency_ns"]["p99"]) == (
        4_000_000,
        4_000_000,
    )


def test_the_flips_are_listed() -> None:
    flips = values(passed())["flips"]
    assert (flips["reference_only"], flips["candidate_only"]) == (60, 40)
    assert flips["samples"] == list(range(100))


def test_the_bounds_of_the_drop_are_at_the_confidence_of_its_gate() -> None:
    strict = Gates.model_validate({"accuracy_drop": {"max": 0.01, "confidence": 0.99}})
    loose = Gates.model_validate({"accuracy_drop": {"max": 0.01}})
    comparison = compared(60, environment())
    bounds = [made(comparison, recipe=profile(gates=gates)).accuracy_drop_bounds for gates in (strict, loose)]
    assert [bound.confidence for bound in bounds if bound] == [0.99, 0.95]


@pytest.mark.parametrize("quality", [math.inf, -math.inf])
def test_an_infinite_sqnr_is_null(quality: float) -> None:
    text = made(replace(compared(60, environment()), sqnr_db=quality)).to_json()
    assert json.loads(text)["sqnr_db"] is None
    assert "Infinity" not in text


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_number_that_json_lacks_gets_in(value: float) -> None:
    with pytest.raises(ValidationError, match="finite"):
        GateResult(name="agreement", value=value, outcome="passed", meaning="")


@pytest.mark.parametrize("report", [passed(), failed(), built(), stood_in()])
def test_a_report_survives_its_file(report: Report, tmp_path: Path) -> None:
    alone, document = tmp_path / "report.json", tmp_path / "document.json"
    alone.write_text(report.to_json(), "utf-8")
    document.write_text(to_json([report, report]), "utf-8")
    assert read_reports(alone) == (report,)
    assert read_reports(document) == (report, report)


def test_a_document_is_versioned() -> None:
    assert list(json.loads(to_json([]))) == ["schema", "reports"]
    assert json.loads(to_json([passed()]))["schema"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "cannot be read as a report"),
        ("[]", "is not a report: Input should be a valid dictionary"),
        ('{"schema": 2, "reports": []}', "is not a report: 'schema'"),
        ('{"schema": 1, "reports": [{"schema": 1}]}', r"is not a report: 'reports\.0\.verdict': Field required"),
    ],
)
def test_a_file_that_is_no_report_is_refused_by_name(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text(content, "utf-8")
    with pytest.raises(DataError, match=message):
        read_reports(path)


def test_a_report_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read as a report"):
        read_reports(tmp_path / "report.json")


def test_a_gate_that_no_profile_has_is_refused() -> None:
    with pytest.raises(ValidationError, match="no gate is named 'beauty'"):
        GateResult(name="beauty", value=1.0, outcome="passed", meaning="")


def test_an_artifact_is_described_by_its_files_and_placement(tmp_path: Path) -> None:
    entry, weights = tmp_path / "model.onnx", tmp_path / "model.onnx.data"
    entry.write_bytes(b"graph")
    weights.write_bytes(b"weights")
    operators = (Operator("Conv", "cpu", 300, 10, True, 60), Operator("Gemm", None, 100, 10, False, 40))
    artifact = Artifact(
        (entry, weights), "onnx", ARTIFACT.signature, Placement(operators), 0.5, basis="a claim", weight_bytes=6,
        fragments=Fragments(2, 5, 640),
    )  # fmt: skip
    described = describe(artifact, float_size_bytes=48, float_weight_bytes=24)
    assert [(file.path, file.bytes) for file in described.files] == [("model.onnx", 5), ("model.onnx.data", 7)]
    assert described.files[0].sha256 == hashlib.sha256(b"graph").hexdigest()
    assert (described.size_bytes, described.size_ratio) == (12, 0.25)
    assert (described.integer_share, described.integer_macs_share) == (0.5, 0.75)
    assert (described.delegated_share, described.fallback_share, described.macs) == (0.75, 0.25, 400)
    assert (described.fallback_bytes_share, described.weights_ratio) == (0.4, 0.25)
    assert described.placement_basis == "a claim"
    assert described.fragments == FragmentsRecord(delegates=2, kernels=5, boundary_bytes=640)


def test_an_artifact_of_a_backend_that_counts_no_bytes_says_nothing_of_them(tmp_path: Path) -> None:
    entry = tmp_path / "model.onnx"
    entry.write_bytes(b"graph")
    operators = (Operator("Conv", "cpu", 300, 10, True), Operator("Gemm", None, 100, 10, False, 40))
    described = describe(Artifact((entry,), "onnx", ARTIFACT.signature, Placement(operators), 0.5), 48, 24)
    assert described.fallback_share == 0.25
    assert (described.fallback_bytes_share, described.weights_ratio) == (None, None)
    assert {"fallback_bytes_share", "weight_bytes", "fragments"}.isdisjoint(described.model_dump())


def test_the_documented_schema_is_current() -> None:
    # python -c "from edgekit.report.report import json_schema; print(json_schema(), end='')" >docs/report.schema.json
    assert SCHEMA.read_text("utf-8") == json_schema()


def test_the_schema_asks_for_every_key_that_is_always_there() -> None:
    definitions = json.loads(json_schema())["$defs"]
    record = values(built())
    assert set(definitions["Report"]["required"]) == set(record) - {"also_measured", "mcnemar_mid_p", "confusion"}
    assert set(definitions["LatencyRecord"]["required"]) == set(record["candidate"]["latency_ns"]) - {"reason"}
    assert Document.model_validate_json(to_json([built()])).reports == (built(),)
