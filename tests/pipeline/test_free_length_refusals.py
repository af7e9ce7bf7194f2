"""What takes samples of one length only is refused before anything is built, by what it is and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import Misfit
from edgekit.pipeline.request import resolve_requests
from tests.backends.free_networks import free_project


@pytest.mark.parametrize(
    ("target", "backend", "profile", "overrides", "words", "hint"),
    [
        (
            "jetson-orin-nano",
            "onnx",
            "float32",
            (),
            "TensorRT builds its engine for one length",
            "--backend executorch",
        ),
        (
            "host",
            "onnx",
            "host-int8",
            ("project.reference.url=http://localhost:8000/v2/models/m",),
            "a served reference is sent samples of one length",
            "--reference eager",
        ),
        ("host", "onnx", "int8-pruned", (), "trains the network again", "--set profile.recover.required=false"),
    ],
)
def test_a_free_length_that_cannot_be_had_is_refused_at_once(
    tmp_path: Path, target: str, backend: str, profile: str, overrides: tuple[str, ...], words: str, hint: str
) -> None:
    project = free_project(tmp_path, "encoder")
    with pytest.raises(Misfit, match=words) as refused:
        resolve_requests(project, target, backend, profile, overrides)
    assert "t:2..64" in str(refused.value)
    assert hint in str(refused.value.hint)
