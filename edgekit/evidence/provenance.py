"""Provenance of a bundle by SLSA v1: a signed in-toto statement of what was built, by what, from what.

Specification: https://slsa.dev/spec/v1.0/provenance. The builder is the machine of whoever holds the key; edgekit names
itself and its version, and no time, so that the same bundle gives the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from edgekit.attestation.dsse import Envelope, Signer
from edgekit.attestation.statement import Statement, StatementSubject
from edgekit.evidence.dossier import Dossier
from edgekit.evidence.package_url import package_url

PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:edgekit:build:1"
BUILDER = "urn:edgekit:builder:1"


def provenance(dossier: Dossier, evidence: Mapping[str, str], key: Signer) -> bytes:
    """Sign the statement: one line of JSON, a DSSE envelope. evidence: SHA-256 of other files of the evidence, by path.

    Raises what the key raises.
    """
    envelope = Envelope.signed(statement(dossier, evidence).to_bytes(), key)
    return json.dumps(envelope.to_json(), sort_keys=True, separators=(",", ":")).encode() + b"\n"


def statement(dossier: Dossier, evidence: Mapping[str, str]) -> Statement:
    """Statement about the bundle's file, and about each file of the model in it."""
    bundle, manifest = dossier.bundle, dossier.bundle.manifest
    files = {file.path: file.sha256 for file in manifest.files}
    subjects = [StatementSubject(bundle.path.name, bundle.file_sha256)]
    subjects += [StatementSubject(path, files[path]) for path in manifest.model]
    return Statement(tuple(subjects), PREDICATE, _predicate(dossier, evidence))


def _predicate(dossier: Dossier, evidence: Mapping[str, str]) -> dict[str, Any]:
    bundle, manifest = dossier.bundle, dossier.bundle.manifest
    parameters = {
        "project": manifest.name,
        "version": manifest.version,
        "target": manifest.target,
        "backend": manifest.backend,
        "profile": manifest.profile,
        "precision": manifest.precision,
    }
    passes = [{"name": step.name, "options": dict(step.options)} for step in manifest.history]
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": parameters,
            "internalParameters": {"passes": passes, "options": dict(manifest.options)},
            "resolvedDependencies": [*_data(dossier), *_packages(manifest.versions)],
        },
        "runDetails": {
            "builder": {"id": BUILDER, "version": {"edgekit": manifest.edgekit}},
            "metadata": {"invocationId": f"sha256:{bundle.digest}"},
            "byproducts": [{"name": name, "digest": {"sha256": digest}} for name, digest in sorted(evidence.items())],
        },
    }


def _data(dossier: Dossier) -> list[dict[str, Any]]:
    """Data sets that made and judged the artifact. A digest is of the samples as they were read, and of no file."""
    return [
        {
            "name": f"data:{each.role}",
            "digest": {"sha256": each.sha256},
            "annotations": {"source": each.source, "licence": each.licence, "samples": each.samples},
        }
        for each in dossier.sets
        if each.sha256
    ]


def _packages(versions: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"name": name, "uri": package_url(name, version)} for name, version in sorted(versions.items())]
