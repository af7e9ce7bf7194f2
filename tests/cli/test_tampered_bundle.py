"""A bundle that is not byte for byte what was signed is neither shown nor flashed; tests/bundle tries every byte."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from edgekit.bundle.archive import Bundle, pack
from edgekit.bundle.keys import KeyStore
from edgekit.bundle.manifest import ManifestContent
from edgekit.bundle.signing import SigningKey
from edgekit.bundle.stored_zip import lay_out, tail
from tests.conftest import Built, Command

Contents = dict[str, bytes]


def flipped(bundle: Path, out: Path) -> str:
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    out.write_bytes(content)
    return "EK302"


def missing(bundle: Path, out: Path) -> str:
    rezipped(bundle, out, lambda names: {name: data for name, data in names.items() if name != "model.onnx"})
    return "EK302"


def added(bundle: Path, out: Path) -> str:
    rezipped(bundle, out, lambda names: names | {"more.txt": b"more"})
    return "EK302"


def outside(bundle: Path, out: Path) -> str:
    rezipped(bundle, out, lambda names: names | {"../outside": b"gone"})
    return "EK301"


def cut(bundle: Path, out: Path) -> str:
    out.write_bytes(bundle.read_bytes()[:-1])
    return "EK301"


def text(bundle: Path, out: Path) -> str:
    out.write_text("no bundle")
    return "EK301"


def stranger(bundle: Path, out: Path) -> str:
    """The same content, signed by somebody whom nobody here trusts."""
    opened = Bundle.open(bundle, KeyStore.of_user().trusted())
    fields = {name: getattr(opened.manifest, name) for name in ManifestContent.model_fields}
    contents = {file.path: opened.read(file.path) for file in opened.manifest.files}
    pack(ManifestContent.model_construct(**fields), contents, SigningKey.generate(), out)
    return "EK303"


def rezipped(bundle: Path, out: Path, change: Callable[[Contents], Contents]) -> None:
    """Another zip of the changed files, as our own writer would lay it out."""
    with zipfile.ZipFile(bundle) as archive:
        contents = change({name: archive.read(name) for name in archive.namelist()})
    entries = lay_out((name, len(data), zlib.crc32(data)) for name, data in sorted(contents.items()))
    out.write_bytes(b"".join(entry.header + contents[entry.name] for entry in entries) + tail(entries))


@pytest.mark.parametrize("harm", [flipped, missing, added, outside, cut, text, stranger], ids=lambda f: f.__name__)
def test_a_bundle_that_was_changed_is_neither_read_nor_flashed(
    command: Command, built: Built, tmp_path: Path, harm: Callable[[Path, Path], str]
) -> None:
    bundle = tmp_path / "changed.edgekit"
    code = harm(built.bundle, bundle)
    device = tmp_path / "device"
    assert "changed.edgekit' cannot be trusted: " in command("inspect", bundle).refused(code, 3)
    command("inspect", bundle, "--json").refused(code, 3)
    command("flash", bundle, "--device", f"local://{device}").refused(code, 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["changed.edgekit"]


def test_a_bundle_that_is_not_there_is_refused(command: Command, tmp_path: Path) -> None:
    assert "there is no bundle" in command("inspect", tmp_path / "none.edgekit").refused("EK301", 3)
