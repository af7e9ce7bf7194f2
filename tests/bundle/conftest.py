"""A small whole bundle, and the means to forge others."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edgekit.bundle.archive import Bundle, pack
from edgekit.bundle.manifest import ManifestContent
from edgekit.bundle.signing import PublicKey, SigningKey, write_signature
from edgekit.bundle.stored_zip import lay_out, tail
from edgekit.errors import BundleError
from edgekit.ir.artifact import Operator
from edgekit.runner.layout import MANIFEST, SIGNATURE
from scripts.fuzzing.readers.bundles import DESCRIPTION, npy

Forge = Callable[[Mapping[str, bytes]], bytes]
Refused = Callable[[bytes], BundleError]
Sealed = Callable[[bytes, Mapping[str, bytes]], bytes]

PACK_ELSEWHERE = """
import sys
from pathlib import Path
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from edgekit.bundle.archive import pack
from edgekit.bundle.manifest import ManifestContent
from edgekit.bundle.signing import SigningKey

class Source(type(Path())):
    pass

{special}
description = ManifestContent.model_validate_json(sys.stdin.read())
root = Path(sys.argv[1])
files = {{path.relative_to(root).as_posix(): Source(path) for path in root.rglob("*") if path.is_file()}}
key = SigningKey.of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
try:
    pack(description, files, key, Path(sys.argv[2]))
except Exception as error:
    sys.exit(f"{{error.code}} {{error}}")
"""


@pytest.fixture(scope="session")
def key() -> SigningKey:
    return SigningKey.of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


@pytest.fixture(scope="session")
def other_key() -> SigningKey:
    return SigningKey.generate()


@pytest.fixture(scope="session")
def description() -> ManifestContent:
    changes = {
        "backend": "executorch",
        "format": "pte",
        "delegates": ("xnnpack",),
        "model": ("model.pte",),
        "placement": (Operator("static_conv2d", "xnnpack", 72, 8, True),),
    }
    return DESCRIPTION.model_copy(update=changes)


@pytest.fixture(scope="session")
def files() -> dict[str, bytes]:
    return {
        "model.pte": bytes(range(256)) + b"weights".ljust(44),
        "golden/inputs/image.npy": npy(np.arange(24, dtype=np.uint8).reshape(2, 2, 2, 3)),
        "golden/outputs/output.npy": npy(np.array([[1, -1], [5, 7]], np.int8)),
    }


@pytest.fixture(scope="session")
def packed(
    tmp_path_factory: pytest.TempPathFactory, description: ManifestContent, files: dict[str, bytes], key: SigningKey
) -> Path:
    """A whole bundle. Do not write to it."""
    return pack(description, files, key, tmp_path_factory.mktemp("packed") / "tiny.edgekit").path


@pytest.fixture(scope="session")
def forge() -> Forge:
    """Any contents in the layout of a bundle: only signature and manifest are left to object."""

    def zipped(contents: Mapping[str, bytes]) -> bytes:
        entries = lay_out((name, len(content), zlib.crc32(content)) for name, content in contents.items())
        return b"".join(entry.header + contents[entry.name] for entry in entries) + tail(entries)

    return zipped


@pytest.fixture(scope="session")
def sealed(forge: Forge, key: SigningKey) -> Sealed:
    """The same, with any bytes for a manifest, signed by a trusted key."""

    def zipped(manifest: bytes, payload: Mapping[str, bytes]) -> bytes:
        own = {MANIFEST: manifest, SIGNATURE: write_signature(key, manifest)}
        return forge(dict(sorted({**payload, **own}.items())))

    return zipped


@pytest.fixture(scope="session")
def manifest_values(description: ManifestContent, files: dict[str, bytes]) -> dict[str, object]:
    """The manifest of the small bundle as plain JSON values."""
    listed = [
        {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        for path, content in sorted(files.items())
    ]
    values: dict[str, object] = json.loads(description.model_dump_json(by_alias=True))
    return values | {"files": listed}


@pytest.fixture(scope="session")
def refused(tmp_path_factory: pytest.TempPathFactory, key: SigningKey) -> Refused:
    """Opens these bytes as a bundle: they must be refused, by an error that names the file and has a hint."""
    path = tmp_path_factory.mktemp("tampered") / "tiny.edgekit"

    def attempt(content: bytes) -> BundleError:
        path.write_bytes(content)
        with pytest.raises(BundleError) as caught:
            Bundle.open(path, [key.public])
        assert str(path) in str(caught.value)
        assert caught.value.hint
        return caught.value

    return attempt


@pytest.fixture(scope="session")
def contents(packed: Path) -> dict[str, bytes]:
    """Every entry of the whole bundle, in order."""
    with zipfile.ZipFile(packed) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def accepted(content: bytes, folder: Path, trusted: list[PublicKey]) -> bool:
    path = folder / "tiny.edgekit"
    path.write_bytes(content)
    Bundle.open(path, trusted)
    return True


@pytest.fixture
def folder(tmp_path: Path, files: dict[str, bytes]) -> Path:
    """The files to pack, on disk."""
    root = tmp_path / "files"
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def elsewhere(special: str, folder: Path, out: Path, umask: int = 0o22, **environ: str) -> subprocess.Popen[str]:
    """`pack` of the folder in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", PACK_ELSEWHERE.format(special=special), str(folder), str(out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        umask=umask,
        env={**os.environ, **environ},
    )


def names(folder: Path) -> list[str]:
    """Names in a folder, those of hidden files too."""
    return sorted(path.name for path in folder.iterdir())
