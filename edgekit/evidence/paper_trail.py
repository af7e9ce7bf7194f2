"""Folder of evidence: every file of it, and how it is written without losing what a person wrote there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from edgekit.atomic import readable, write
from edgekit.attestation.dsse import Signer
from edgekit.errors import UsageError
from edgekit.evidence import fact
from edgekit.evidence.crosswalk import FRAMEWORKS, crosswalk, open_questions
from edgekit.evidence.dossier import Dossier
from edgekit.evidence.facts import Facts
from edgekit.evidence.ml_bom import ml_bom
from edgekit.evidence.model_card import OPEN, model_card
from edgekit.evidence.provenance import provenance
from edgekit.parity.data import card as card_file
from edgekit.runner.layout import MANIFEST, SIGNATURE
from edgekit.untrusted.markdown import cell

SUMS = "SHA256SUMS"
INDEX = "index.md"
_SUM = re.compile(r"([0-9a-f]{64})  ([ -~]+)")


def paper_trail(dossier: Dossier, key: Signer) -> dict[str, bytes]:
    """Content of every file by its path. The same dossier and key give the same bytes. Raises what the key raises."""
    files = _facts(dossier)
    files[fact.MODEL_CARD] = model_card(dossier).encode()
    files[fact.BOM] = ml_bom(dossier, _sha256(files[fact.REPORT]))
    files[fact.PROVENANCE] = provenance(dossier, _digests(files), key)
    facts, digests, name = Facts.of(dossier), _digests(files), dossier.bundle.manifest.name
    for framework in FRAMEWORKS:
        files[framework.file] = crosswalk(framework, facts, digests, name).encode()
    files[INDEX] = _index(dossier, files).encode()
    sums = "".join(f"{digest}  {path}\n" for path, digest in sorted(_digests(files).items()))
    return {**files, SUMS: sums.encode()}


def write_trail(files: Mapping[str, bytes], out: Path) -> None:
    """Write the files into a folder; other files there stay.

    A file that is there is replaced only if it is evidence as it was written. Raises UsageError, before anything is
    written, for one that a person has changed; StorageError.
    """
    written = _written(out / SUMS)
    if (out / SUMS).exists() and INDEX not in written:
        raise UsageError(
            f"'{out / SUMS}' is there, and lists no evidence: it would be lost",
            hint="--out ANOTHER-FOLDER, or move it away",
        )
    for path, content in files.items():
        if path == SUMS or not (out / path).exists():
            continue
        with readable(out / path):
            there = (out / path).read_bytes()
        if there != content and written.get(path) != _sha256(there):
            raise UsageError(
                f"'{out / path}' is there, and is no evidence as edgekit wrote it: it would be lost",
                hint="--out ANOTHER-FOLDER, or move it away",
            )
    for path, content in sorted(files.items(), key=lambda each: each[0] == SUMS):
        write(out / path, content)


def _facts(dossier: Dossier) -> dict[str, bytes]:
    bundle = dossier.bundle
    files = {
        fact.REPORT: dossier.report.to_json().encode(),
        fact.MANIFEST: bundle.read(MANIFEST),
        fact.SIGNATURE: bundle.read(SIGNATURE),
    }
    if dossier.card:
        files[fact.CARD] = bundle.read(card_file.JSON)
    if dossier.histories:
        values = {"schema": 1, "histories": [history.values() for history in dossier.histories]}
        files[fact.HISTORY] = json.dumps(values, sort_keys=True, indent=1, ensure_ascii=True).encode() + b"\n"
    return files


def _index(dossier: Dossier, files: Mapping[str, bytes]) -> str:
    bundle, report = dossier.bundle, dossier.report
    lines = [
        f"# Evidence on {cell(bundle.manifest.name)}",
        "",
        f"**{report.verdict.upper()}**: {cell(report.sentence)}",
        "",
        f"- bundle: `{bundle.digest}` (SHA-256 of its manifest), file `{bundle.file_sha256}`",
        f"- signed by: {', '.join(key.id for key in bundle.signers)}",
        "",
        "Every file here is a view of the signed bundle, of its report, and of histories of devices; `sha256sum -c "
        f"{SUMS}` compares them. The report is bound to the bundle by its digest, and signed by the provenance alone.",
        "",
        "| file | SHA-256 |",
        "| --- | --- |",
        *(f"| [{path}]({path}) | `{_sha256(content)}` |" for path, content in sorted(files.items())),
        "",
        "## What a person must still answer",
        "",
        *(f"- model card: {question}" for question in OPEN),
        *(
            f"- [{framework.title}]({framework.file}): {len(open_questions(framework))} questions, in its last column"
            for framework in FRAMEWORKS
        ),
    ]
    return "\n".join(lines) + "\n"


def _written(sums: Path) -> dict[str, str]:
    """Digests of evidence that was written here before; none where its list is missing or none of ours."""
    if not sums.is_file():
        return {}
    with readable(sums):
        lines = sums.read_bytes()[: 1 << 20].decode("ascii", "replace").splitlines()
    return {match[2]: match[1] for line in lines if (match := _SUM.fullmatch(line))}


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {path: _sha256(content) for path, content in files.items()}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
