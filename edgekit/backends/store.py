"""Storage of artifacts in a folder: the lowered files, and the facts read off them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pydantic import TypeAdapter

from edgekit.ir.artifact import Artifact

FACTS = "artifact.json"
_ARTIFACT = TypeAdapter(Artifact)


def save_artifact(artifact: Artifact, folder: Path) -> None:
    """Write `artifact.json`, the facts of an artifact whose files are in `folder`."""
    local = replace(artifact, files=tuple(Path(path.name) for path in artifact.files))
    (folder / FACTS).write_bytes(_ARTIFACT.dump_json(local))


def load_artifact(folder: Path) -> Artifact:
    """Load the artifact in `folder`."""
    local = _ARTIFACT.validate_json((folder / FACTS).read_bytes())
    return replace(local, files=tuple(folder / path for path in local.files))
