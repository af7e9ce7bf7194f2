"""Bundles by hand, and this machine as the device."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol, Self

import pytest
from pydantic import TypeAdapter

from edgekit.bundle.archive import Bundle
from edgekit.bundle.manifest import Manifest
from edgekit.bundle.manifest_records import BundleFile
from edgekit.bundle.signing import PublicKey
from edgekit.devices.flash import commit, flash
from edgekit.devices.local import Local
from edgekit.ir.artifact import Format
from edgekit.ir.signature import Signature
from edgekit.runner.layout import MANIFEST
from scripts.fuzzing.readers.bundles import DESCRIPTION
from tests.runner.slot import KEY, SIGNATURE, list_files, write_slot

VERSIONS = {name: version(name) for name in ("executorch", "onnxruntime", "ai-edge-litert")}


class HandMade(Bundle):
    """A bundle whose files lie in a folder, open to changes: its manifest is the host's reading, not the file there."""

    @classmethod
    def of(cls, folder: Path, manifest: Manifest, signers: Sequence[PublicKey] = (KEY.public,)) -> Self:
        """The files of `folder` as a bundle that these keys are said to have signed; nothing is verified."""
        return cls(folder, manifest, "", tuple(signers), {}, {})

    @property
    def folder(self) -> Path:
        return self.path

    @property
    def digest(self) -> str:
        return sha256(self.read(MANIFEST)).hexdigest()

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def chunks(self, name: str) -> Iterator[bytes]:
        yield self.read(name)

    def extract(self, folder: Path) -> None:
        shutil.copytree(self.folder, folder)


def with_more(bundle: HandMade) -> HandMade:
    """The bundle with a file that no slot has: it must be sent."""
    (bundle.folder / "more").write_bytes(bytes(4096))
    return listed(bundle)


def listed(bundle: HandMade) -> HandMade:
    """The bundle with the manifest that lists its files as they are now."""
    list_files(bundle.folder, json.loads(bundle.read(MANIFEST)))
    return HandMade.of(bundle.folder, bundle.manifest.model_copy(update={"files": _files(bundle.folder)}))


def _files(folder: Path) -> tuple[BundleFile, ...]:
    """The files that the folder's manifest lists."""
    return tuple(BundleFile(**file) for file in json.loads((folder / MANIFEST).read_text())["files"])


class MakeBundle(Protocol):
    """The fixture `make_bundle`."""

    def __call__(
        self,
        name: str,
        format: Format = "onnx",
        arch: str = "aarch64",
        plan: dict[str, Any] | None = None,
        **changes: Any,
    ) -> HandMade:
        """`make_bundle("name", format="onnx", arch="aarch64", plan={…}, **changes to the manifest on the device)`."""


@pytest.fixture
def make_bundle(tmp_path: Path) -> MakeBundle:
    """A function that makes small bundles, by name."""

    def make(
        name: str, format: Format = "onnx", arch: str = "aarch64", plan: dict[str, Any] | None = None, **changes: Any
    ) -> HandMade:
        folder = tmp_path / "bundles" / name
        if plan:
            folder.mkdir(parents=True)
            (folder / "engine.json").write_text(json.dumps(plan))
        write_slot(folder, format, name=name, arch=arch, **changes)
        content = {
            "name": name,
            "format": format,
            "arch": arch,
            "target": "some-board",
            "family": "some",
            "model": (f"model.{format}",),
            "signature": TypeAdapter(Signature).validate_python(SIGNATURE),
            "versions": VERSIONS,
            "expires": changes.get("expires"),
        }
        files = ((file.path, file.bytes, file.sha256) for file in _files(folder))
        assert content.keys() <= type(DESCRIPTION).model_fields.keys()
        return HandMade.of(folder, Manifest.of(DESCRIPTION.model_copy(update=content), files))

    return make


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Local]:
    with Local(f"local://{tmp_path / 'device'}") as local:
        yield local


@pytest.fixture
def old(device: Local, make_bundle: MakeBundle) -> HandMade:
    """The bundle that the device serves before the test begins."""
    bundle = make_bundle("old")
    commit(flash(bundle, device))
    return bundle
