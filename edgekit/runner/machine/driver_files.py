"""Identity of a device's system and of its accelerators' drivers, read without loading any. Standard library only."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from .command import command_output
from .sysfs import text

# The Vulkan loader's search path, and the variables that replace it: Vulkan-Loader, docs/LoaderDriverInterface.md.
MANIFESTS = ("usr/share/vulkan/icd.d/*.json", "usr/local/share/vulkan/icd.d/*.json", "etc/vulkan/icd.d/*.json")
MANIFEST_VARIABLES = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
LIBRARIES = (
    # Android: drivers of OpenCL, Vulkan, OpenGL ES and of Qualcomm's NPU.
    "vendor/lib64/libOpenCL.so",
    "vendor/lib64/hw/vulkan.*.so",
    "vendor/lib64/egl/*.so",
    "vendor/lib64/libQnn*.so",
    "vendor/lib64/libcdsprpc.so",
    # Linux on boards.
    "usr/lib/aarch64-linux-gnu/libOpenCL.so*",
    "usr/lib/aarch64-linux-gnu/libcdsprpc.so*",
    "usr/lib/libQnn*.so",
)
VERSIONS = ("proc/driver/nvidia/version", "sys/module/nvgpu/version", "sys/module/v3d/version")
RELEASE = ("etc/os-release",)
DIGEST_LENGTH = 16


def system_version(root: Path = Path("/")) -> str:
    """Version of the operating system: Android's fingerprint, else kernel and release of the distribution."""
    fingerprint = command_output("getprop", "ro.build.fingerprint").strip()
    if fingerprint:
        return fingerprint
    release = {
        name: value.strip('"')
        for file in RELEASE
        for name, sign, value in (line.partition("=") for line in (text(root / file) or "").splitlines())
        if sign
    }
    name = " ".join(release[key] for key in ("ID", "VERSION_ID", "BUILD_ID") if release.get(key))
    return f"{os.uname().sysname} {os.uname().release}" + (f", {name}" if name else "")


def driver_digest(root: Path = Path("/"), environment: Mapping[str, str] = os.environ) -> str:
    """Digest over path, size and time of every driver file that is there; another file or version gives another one."""
    content = hashlib.sha256()
    for path in sorted(set(_files(root, environment))):
        try:
            stat = path.stat()
        except OSError:
            continue
        content.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    for name in VERSIONS:
        content.update((text(root / name) or "").encode())
    return content.hexdigest()[:DIGEST_LENGTH]


def _files(root: Path, environment: Mapping[str, str]) -> Iterator[Path]:
    stated = [Path(part) for name in MANIFEST_VARIABLES for part in environment.get(name, "").split(":") if part]
    for manifest in (*stated, *(path for pattern in MANIFESTS for path in root.glob(pattern))):
        yield manifest
        library = _library(manifest)
        if library:
            yield library
    for pattern in LIBRARIES:
        yield from root.glob(pattern)


def _library(manifest: Path) -> Path | None:
    """Library that a Vulkan driver's manifest names by its path; None if it is named for the linker, or unreadable."""
    try:
        name = json.loads(manifest.read_bytes())["ICD"]["library_path"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return manifest.parent / name if isinstance(name, str) and "/" in name else None
