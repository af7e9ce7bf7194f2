"""Identity of system and drivers: what changes it, and what does not."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from edgekit.runner.machine.driver_files import driver_digest, system_version


@pytest.fixture
def root(tmp_path: Path) -> Path:
    manifests, library = tmp_path / "usr/share/vulkan/icd.d", tmp_path / "usr/lib/libvulkan_gpu.so"
    for folder in (manifests, library.parent, tmp_path / "etc", tmp_path / "vendor/lib64/hw"):
        folder.mkdir(parents=True)
    library.write_bytes(b"driver 1")
    (manifests / "gpu.json").write_text(json.dumps({"ICD": {"library_path": "../../../lib/libvulkan_gpu.so"}}))
    (tmp_path / "etc/os-release").write_text('ID=debian\nVERSION_ID="12"\n')
    return tmp_path


def test_the_same_files_give_the_same_digest(root: Path) -> None:
    assert driver_digest(root, {}) == driver_digest(root, {})
    (root / "usr/lib/other.so").write_bytes(b"no driver")
    assert driver_digest(root, {}) == driver_digest(root, {"PATH": "/bin"})


def test_another_library_behind_the_same_manifest_is_another_driver(root: Path) -> None:
    before = driver_digest(root, {})
    (root / "usr/lib/libvulkan_gpu.so").write_bytes(b"driver 2, of another size")
    updated = driver_digest(root, {})
    assert updated != before
    os.utime(root / "usr/lib/libvulkan_gpu.so", ns=(0, 0))  # of the same size, but another file
    assert driver_digest(root, {}) not in (before, updated)


def test_a_driver_that_comes_or_that_a_variable_names_changes_it(root: Path, tmp_path: Path) -> None:
    before = driver_digest(root, {})
    (root / "vendor/lib64/hw/vulkan.adreno.so").write_bytes(b"")
    assert driver_digest(root, {}) != before
    own = tmp_path / "own.json"
    own.write_text("{")  # no JSON: the manifest itself counts
    assert driver_digest(root, {"VK_ICD_FILENAMES": str(own)}) != driver_digest(root, {})


def test_the_version_of_the_system_names_kernel_and_release(root: Path) -> None:
    assert system_version(root) == f"{os.uname().sysname} {os.uname().release}, debian 12"
    (root / "etc/os-release").unlink()
    assert system_version(root) == f"{os.uname().sysname} {os.uname().release}"
