"""A packed bundle, a report of it, and names that try to be markup."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edgekit.bundle.archive import Bundle, pack
from edgekit.bundle.signing import SigningKey
from edgekit.parity.data.card import JSON, DataCard
from edgekit.parity.data.governance import DataSetRecord
from edgekit.parity.slices.record import GroupGap, SliceParity, SliceRecord
from edgekit.report.record import BundleRecord, File
from edgekit.report.report import Report
from scripts.fuzzing.readers.bundles import DESCRIPTION, npy
from tests.report.examples import served

KEY = SigningKey.of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
HOSTILE = 'Grüße 🎉 "quoted" <script>alert(1)</script> | `x` [a](javascript:b) \u202eevil\u2066 \'n # - ---'
SHA = "ab" * 32


def card(name: str = "tiny", source: str = "UCI") -> DataCard:
    sets = (
        DataSetRecord(role="calibration", licence="CC-BY-4.0", source=source, samples=128, sha256=SHA, personal=False),
        DataSetRecord(role="evaluation", licence="CC-BY-4.0", source=source),
    )
    return DataCard(schema_version=1, model=name, sets=sets, allowed=("CC-BY-4.0",))


def packed(folder: Path, name: str = "tiny", source: str = "UCI") -> Bundle:
    files = {
        "model.onnx": b"weights",
        "golden/inputs/image.npy": npy(np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)),
        "golden/outputs/output.npy": npy(np.array([[1, -1], [5, 7]], np.int8)),
        JSON: card(name, source).to_json(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    description = DESCRIPTION.model_copy(update={"name": name, "model": ("model.onnx",)})
    return pack(description, files, KEY, folder / "tiny.edgekit")


def report_of(bundle: Bundle, sentence: str | None = None, report: Report | None = None, **more: Any) -> Report:
    """Report of a served run, as if this bundle had been run."""
    report = report or served()
    files = {file.path: file for file in bundle.manifest.files}
    entry = files[bundle.manifest.model[0]]
    changes: dict[str, Any] = {
        "bundle": BundleRecord(path=bundle.path.name, digest=bundle.digest, signer=bundle.signer),
        "artifact": report.artifact.model_copy(
            update={"files": (File(path=entry.path, bytes=entry.bytes, sha256=entry.sha256),)}
        ),
        **({"sentence": sentence} if sentence else {}),
        **more,
    }
    return report.model_copy(update=changes)


def sliced(name: str = "camera = b") -> SliceParity:
    one = SliceRecord(
        name=name,
        words=name,
        by="camera",
        origin="stated",
        samples=400,
        agreement=0.97,
        drop=0.02,
        low=0.001,
        high=0.04,
    )
    gap = GroupGap(
        by="camera", groups=2, samples=900, before=0.01, after=0.03, worst=name, best="a", standard_error=0.01
    )
    return SliceParity(confidence=0.95, sentence=f"The worst slice is {name}.", slices=(one,), gaps=(gap,))


def history(bundle: Bundle, why: str = "agreement 0.91, at least 0.98") -> dict[str, Any]:
    """History of a device: this bundle committed, rolled back by a gate, and a bundle of others."""
    event = {"when": "2026-11-28T12:00:00Z", "version": 1, "signers": [bundle.signer], "detail": None}
    return {
        "schema": 1,
        "device": "pi-lab-01",
        "history": [
            {**event, "digest": bundle.digest, "verdict": "committed"},
            {**event, "digest": "0" * 64, "verdict": "committed"},
            {**event, "digest": bundle.digest, "verdict": "rolled back", "detail": {"gates": why}},
        ],
    }


def write_all(folder: Path, name: str = "tiny", **report: Any) -> Bundle:
    """A bundle with its report beside it, and `history.json`."""
    bundle = packed(folder, name)
    (folder / "report.json").write_text(report_of(bundle, **report).to_json(), "utf-8")
    (folder / "history.json").write_text(json.dumps(history(bundle)))
    return bundle
