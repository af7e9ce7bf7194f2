"""Bundles by hand, and this machine as the device."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgekit.bundle.signing import PublicKey
from edgekit.devices.flash import commit, flash
from edgekit.devices.local import Local
from tests.runner.slot import KEY, list_files, write_slot

VERSIONS = {name: version(name) for name in ("executorch", "onnxruntime", "ai-edge-litert")}


@dataclass(frozen=True)
class HandMade:
    """What flashing needs of a bundle."""

    folder: Path
    manifest: Any

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.read("manifest.json")).hexdigest()

    @property
    def signers(self) -> tuple[PublicKey, ...]:
        return (KEY.public,)

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def extract(self, folder: Path) -> None:
        shutil.copytree(self.folder, folder)


def with_more(bundle: HandMade) -> HandMade:
    """The bundle with a file that no slot has: it must be sent."""
    (bundle.folder / "more").write_bytes(bytes(4096))
    return listed(bundle)


def listed(bundle: HandMade) -> HandMade:
    """The bundle with the manifest that lists its files as they are now."""
    list_files(bundle.folder, json.loads(bundle.read("manifest.json")))
    manifest = SimpleNamespace(**vars(bundle.manifest) | {"files": _files(bundle.folder)})
    return HandMade(bundle.folder, manifest)


def _files(folder: Path) -> tuple[SimpleNamespace, ...]:
    """As the manifest lists them."""
    return tuple(SimpleNamespace(**file) for file in json.loads((folder / "manifest.json").read_text())["files"])


MakeBundle = Callable[..., HandMade]


@pytest.fixture
def make_bundle(tmp_path: Path) -> MakeBundle:
    """`make_bundle("name", format="onnx", arch="aarch64", plan={…}, **changes to its manifest)`."""

    def make(
        name: str, format: str = "onnx", arch: str = "aarch64", plan: dict[str, Any] | None = None, **changes: Any
    ) -> HandMade:
        folder = tmp_path / "bundles" / name
        if plan:
            folder.mkdir(parents=True)
            (folder / "engine.json").write_text(json.dumps(plan))
        write_slot(folder, format, name=name, arch=arch, **changes)
        said = {
            "format": format,
            "arch": arch,
            "target": "some-board",
            "family": "some",
            "versions": VERSIONS,
            "files": _files(folder),
            "expires": changes.get("expires"),
        }
        return HandMade(folder, SimpleNamespace(**said))

    return make


@pytest.fixture
def device(tmp_path: Path) -> Iterator[Local]:
    with Local(f"local://{tmp_path / 'device'}") as local:
        yield local


@pytest.fixture
def old(device: Local, make_bundle: MakeBundle) -> HandMade:
    """What the device serves before the test begins."""
    bundle = make_bundle("old")
    commit(flash(bundle, device))
    return bundle
