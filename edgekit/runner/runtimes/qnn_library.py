"""Qualcomm's plug-in of onnxruntime for its NPUs: the package `onnxruntime-qnn`, its libraries and its devices."""

from __future__ import annotations

import mmap
import re
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from ..errors import RunnerError

DISTRIBUTION = "onnxruntime-qnn"
PROVIDER, BACKEND, SYSTEM = "libonnxruntime_providers_qnn.so", "libQnnHtp.so", "libQnnSystem.so"
NAME = "qnn"
"""Name under which the plug-in is registered; onnxruntime gives it to the provider too."""
SDK = re.compile(rb"v(\d+\.\d+\.\d+)\.\d{12}")
"""Version of the QNN SDK in its libraries, with the time at which they were built."""


def qnn_folder() -> Path:
    """Folder of the plug-in's libraries, all of them there.

    Raises RunnerError: package if onnxruntime-qnn is not installed, library if one of its libraries is missing.
    """
    try:
        module = import_module(DISTRIBUTION.replace("-", "_"))
    except ImportError as error:
        raise RunnerError("package", f"'{DISTRIBUTION}' is not installed: {error}") from error
    folder = Path(str(module.LIB_DIR_FULL_PATH))
    missing = [name for name in (PROVIDER, BACKEND, SYSTEM) if not (folder / name).is_file()]
    if missing:
        raise RunnerError("library", f"'{DISTRIBUTION}' has no {' and no '.join(missing)} in '{folder}'")
    return folder


def htp_devices(runtime: Any, folder: Path) -> list[Any]:
    """Register the plug-in, and list the device that it offers. Raises RunnerError: library, adapter."""
    if not _devices(runtime):
        try:
            runtime.register_execution_provider_library(NAME, str(folder / PROVIDER))
        except Exception as error:
            raise RunnerError("library", f"'{PROVIDER}' cannot be loaded: {error}") from error
    devices = _devices(runtime)
    if not devices:
        raise RunnerError("adapter", f"'{PROVIDER}' was loaded and offers no device: this machine has no such NPU")
    return devices[:1]


@lru_cache
def sdk_version(folder: Path) -> str | None:
    """Version of the QNN SDK that the libraries in `folder` are of, such as `2.51.0`; None if they do not say."""
    with (folder / BACKEND).open("rb") as file:
        match = SDK.search(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    return match[1].decode() if match else None


def _devices(runtime: Any) -> list[Any]:
    return [device for device in runtime.get_ep_devices() if device.ep_name == NAME]
