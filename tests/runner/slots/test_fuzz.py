"""A thousand bundles that somebody changed on their way, against the device's own code in this process."""

from __future__ import annotations

import hashlib
import random
from pathlib import Path

import pytest

from edgekit.bundle.signing import SigningKey, write_signature
from edgekit.runner.errors import RunnerError
from edgekit.runner.slots import lifecycle, stage
from tests.runner.slot import KEY, list_files
from tests.tampered_bundles import mutants

pytestmark = pytest.mark.fuzzes

STRANGER = SigningKey.generate()
SENSELESS = (
    b"[]",
    b"null",
    b'{"files": 1}',
    b'{"files": [1]}',
    b'{"files": [{"path": 1, "bytes": 1, "sha256": "x"}]}',
    b'{"files": [{"path": "../a/x", "bytes": 1, "sha256": "x"}]}',
    b'{"files": [{"path": "manifest.sig", "bytes": 1, "sha256": "x"}]}',
    b'{"files": [{"path": "x", "bytes": -1, "sha256": "x"}]}',
    b'{"files": [{"path": "x", "bytes": true, "sha256": "x"}]}',
    b'{"files": [], "target": "x", "family": "x", "arch": "x", "version": 1.5, "floor": 0}',
    b'{"files": [], "target": "x", "family": "x", "arch": "x", "version": 1e999, "floor": 0}',
    b"[" * 100_000,
    b"\xff\xfe",
    b"",
)


def _made(folder: Path, text: str, version: int) -> dict[str, bytes]:
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_text(text)
    list_files(folder, {"version": version})
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def new(tmp_path: Path) -> dict[str, bytes]:
    return _made(tmp_path / "made" / "new", "new", 1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A device that serves a bundle, and has another one on trial."""
    root = tmp_path / "root"
    for text in ("old", "trial"):
        digest = _arrives(root, _made(tmp_path / "made" / text, text, 1))
        _staged(root, digest)
        lifecycle.begin_trial(root, digest)
        if text == "old":
            lifecycle.commit(root)
    return root


def _arrives(root: Path, files: dict[str, bytes], digest: str | None = None) -> str:
    """The files, under the digest that their manifest has, or another one."""
    digest = digest or hashlib.sha256(files["manifest.json"]).hexdigest()
    folder = root / "staging" / digest
    folder.mkdir(parents=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return digest


def _held(root: Path) -> object:
    """Everything that the device has, but for what is on its way, and whether its slots are whole."""
    found = lifecycle.status(root)["slots"]
    whole = {name: (slot["state"], slot["digest"], slot["whole"]) for name, slot in found.items()}
    kept = (path for path in sorted(root.rglob("*")) if path.is_file() and "staging" not in path.parts)
    return whole, {str(path): path.read_bytes() for path in kept}


def _staged(root: Path, digest: str) -> str:
    staging = root / "staging" / digest
    answer = stage.stage(root, staging, digest, offered=[KEY.public.raw, STRANGER.public.raw], stand_in=True)
    return str(answer["state"])


def _prepared(root: Path, digest: str) -> None:
    stage.prepare(root, digest, offered=[KEY.public.raw, STRANGER.public.raw], stand_in=True)


def test_of_a_thousand_changed_bundles_none_reaches_a_slot(root: Path, new: dict[str, bytes]) -> None:
    before = _held(root)
    honest = hashlib.sha256(new["manifest.json"]).hexdigest()
    count = 0
    for i, mutant in enumerate(mutants(new, STRANGER, random.Random(6), edits=70)):
        # Whoever changes the manifest may claim its new digest too.
        digest = _arrives(root, mutant, honest if i % 2 else None)
        if mutant["manifest.json"] != new["manifest.json"] or mutant["manifest.sig"] != new["manifest.sig"]:
            with pytest.raises(RunnerError) as caught:
                _prepared(root, digest)
            assert caught.value.kind in ("signature", "trust", "data")
            _arrives(root, mutant, digest)
        with pytest.raises(RunnerError) as caught:
            _staged(root, digest)
        assert caught.value.kind in ("signature", "trust", "data")
        count += 1
    assert count >= 1_000
    assert list((root / "staging").iterdir()) == []
    assert _held(root) == before
    assert _staged(root, _arrives(root, new)) == "staged"


@pytest.mark.parametrize("manifest", SENSELESS)
def test_a_manifest_that_makes_no_sense_is_refused_even_if_signed(root: Path, manifest: bytes) -> None:
    before = _held(root)
    for verb in (_prepared, _staged):
        digest = _arrives(root, {"manifest.json": manifest, "manifest.sig": write_signature(KEY, manifest)})
        with pytest.raises(RunnerError, match="makes no sense") as caught:
            verb(root, digest)
        assert caught.value.kind == "data"
    assert _held(root) == before
