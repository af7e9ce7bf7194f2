"""CycloneDX 1.7 bill of materials of a model (ML-BOM), written as plain JSON.

Specification: https://cyclonedx.org/docs/1.7/json/. No time is in it: the same input gives the same bytes.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from edgekit.evidence.bom_metrics import limit_properties, performance_metrics
from edgekit.evidence.dossier import Dossier
from edgekit.evidence.measured_facts import limitations
from edgekit.evidence.package_url import package_url
from edgekit.ir.signature import TensorSpec
from edgekit.parity.gate_texts import percent
from edgekit.untrusted.sanitize import MAX_WORDS, line

Values = dict[str, Any]
MODEL = "model"
_NAMESPACE = uuid.UUID("0d9b8b52-6f0e-5c41-9c0b-6a8c1e6f3d19")
"""Namespace of serial numbers: a fixed number of this project's own."""
_KWH = 3.6e6


def ml_bom(dossier: Dossier, report_sha256: str) -> bytes:
    """Write the bill of materials. report_sha256: digest of `facts/report.json`, which the gates stand in."""
    data, packages = _data(dossier), _packages(dossier.bundle.manifest.versions)
    made_of = [each["bom-ref"] for each in (*data, *packages)]
    values = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.7",
        "serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, dossier.bundle.digest + report_sha256)}",
        "version": 1,
        "metadata": {
            "tools": {
                "components": [
                    {"type": "application", "name": "edgekit", "version": text(dossier.bundle.manifest.edgekit)}
                ]
            },
            "component": _model(dossier, report_sha256),
        },
        "components": [*data, *packages],
        "dependencies": [{"ref": MODEL, "dependsOn": made_of}, *({"ref": each} for each in made_of)],
    }
    return json.dumps(values, sort_keys=True, indent=1, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def text(words: str) -> str:
    """Sanitize words from a project or a device: one printable line."""
    return line(words, MAX_WORDS)


def _model(dossier: Dossier, report_sha256: str) -> Values:
    bundle, manifest = dossier.bundle, dossier.bundle.manifest
    paths = set(manifest.model)
    passes = "; ".join(f"{step.name} {dict(step.options)}" for step in manifest.history)
    properties = {
        "edgekit:bundle:digest": bundle.digest,
        "edgekit:bundle:signers": " ".join(key.id for key in bundle.signers),
        "edgekit:report:sha256": report_sha256,
        "edgekit:target": manifest.target,
        "edgekit:backend": manifest.backend,
        "edgekit:format": manifest.format,
        "edgekit:profile": manifest.profile,
        "edgekit:precision": manifest.precision,
    }
    return {
        "type": "machine-learning-model",
        "bom-ref": MODEL,
        "name": text(manifest.name),
        "version": str(manifest.version),
        "description": text(dossier.report.sentence),
        "hashes": [{"alg": "SHA-256", "content": bundle.file_sha256}],
        "components": [
            {
                "type": "file",
                "bom-ref": f"file:{file.path}",
                "name": file.path,
                "hashes": [{"alg": "SHA-256", "content": file.sha256}],
            }
            for file in manifest.files
            if file.path in paths
        ],
        "pedigree": {"notes": text(f"{manifest.precision}; passes: {passes or 'none'}")},
        "properties": [{"name": name, "value": text(value)} for name, value in sorted(properties.items())],
        "modelCard": _card(dossier),
    }


def _card(dossier: Dossier) -> Values:
    manifest, report = dossier.bundle.manifest, dossier.report
    return {
        "modelParameters": {
            "task": text(manifest.task),
            "datasets": [{"ref": each["bom-ref"]} for each in _data(dossier)],
            "inputs": [_edge(spec) for spec in manifest.signature.inputs],
            "outputs": [_edge(spec) for spec in manifest.signature.outputs],
        },
        "quantitativeAnalysis": {"performanceMetrics": performance_metrics(report)},
        "considerations": _considerations(dossier),
        "properties": [
            {"name": "edgekit:verdict", "value": report.verdict},
            *limit_properties(report),
        ],
    }


def _considerations(dossier: Dossier) -> Values:
    report, facts = dossier.report, dossier.bundle.manifest.facts
    values: Values = {
        "technicalLimitations": [text(sentence) for sentence in limitations(report)],
        "performanceTradeoffs": [
            text(
                f"{facts.size_bytes / max(facts.float_size_bytes, 1):.3f} times the size of the float model; "
                f"agreement with the reference {percent(report.agreement)}"
            )
        ],
    }
    gaps = report.slices.gaps if report.slices else ()
    if gaps:
        values["fairnessAssessments"] = [
            {
                "groupAtRisk": text(f"{gap.by} = {gap.worst}"),
                "harms": text(
                    f"error rates of the groups of {gap.by} differ by {percent(gap.after)}; before compression by "
                    f"{percent(gap.before)}"
                ),
            }
            for gap in gaps
        ]
    energy = report.candidate.energy
    if energy:
        used = {"value": energy.joules / _KWH, "unit": "kWh"}
        provider = {"organization": {"name": "not stated"}, "energySource": "unknown", "energyProvided": used}
        noted = {"method": energy.method, "uncertainty": f"{energy.uncertainty:g}", "joules": f"{energy.joules!r}"}
        values["environmentalConsiderations"] = {
            "energyConsumptions": [
                {
                    "activity": "inference",
                    "energyProviders": [provider],
                    "activityEnergyCost": used,
                    "properties": [
                        {"name": f"edgekit:energy:{name}", "value": text(value)}
                        for name, value in sorted(noted.items())
                    ],
                }
            ]
        }
    return values


def _data(dossier: Dossier) -> list[Values]:
    """Data sets as components."""
    components = []
    for each in dossier.sets:
        contents = {"type": "dataset", "name": text(f"{dossier.bundle.manifest.name}: {each.role}")}
        if each.personal is not None:
            contents["classification"] = "personal data" if each.personal else "no personal data"
        stated = {"licence": each.licence, "source": each.source, "samples": each.samples}
        component = {
            "type": "data",
            "bom-ref": f"data:{each.role}",
            "name": text(each.role),
            "data": [contents],
            "properties": [
                {"name": f"edgekit:data:{name}", "value": text(str(value))}
                for name, value in sorted(stated.items())
                if value is not None
            ],
        }
        if each.sha256:
            component["hashes"] = [{"alg": "SHA-256", "content": each.sha256}]
        components.append(component)
    return components


def _packages(versions: Mapping[str, str]) -> list[Values]:
    return [
        {
            "type": "library",
            "bom-ref": f"package:{text(name)}",
            "name": text(name),
            "version": text(version),
            "purl": package_url(name, version),
        }
        for name, version in sorted(versions.items())
    ]


def _edge(spec: TensorSpec) -> Values:
    return {"format": text(str(spec))}
