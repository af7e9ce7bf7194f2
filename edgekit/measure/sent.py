"""Samples on a device for one run, and what the run left there."""

from __future__ import annotations

import contextlib
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from edgekit.cache import storage_errors
from edgekit.devices.flash import Installation
from edgekit.errors import EdgekitError, ProbeError
from edgekit.ir.measurement import Array
from edgekit.samples import Samples

START_S = 120.0
"""Time limit of importing a runtime and loading a model."""
INFERENCE_S = 1.0
"""Time limit of one inference, on average."""


@contextlib.contextmanager
def sent(installation: Installation, samples: Samples) -> Iterator[PurePosixPath]:
    """A folder on the device that has the samples in `inputs`; nothing of it is left.

    Raises Unreachable, CommandFailed, StorageError.
    """
    remote = installation.root / "probe" / secrets.token_hex(8)
    try:
        with tempfile.TemporaryDirectory() as name:
            for input, array in samples.inputs.items():
                path = Path(name) / f"{input}.npy"
                path.parent.mkdir(parents=True, exist_ok=True)
                with storage_errors(path.parent):
                    np.save(path, array, allow_pickle=False)
                installation.transport.push(path, remote / "inputs" / f"{input}.npy")
        yield remote
    finally:
        with contextlib.suppress(EdgekitError):
            installation.runner.remove(remote)


def fetched(installation: Installation, file: PurePosixPath, count: int) -> Array:
    """An array of `count` rows that a run left on the device. Raises ProbeError if it is damaged."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / file.name
        installation.transport.pull(file, path)
        try:
            array: Array = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ProbeError(f"'{file.name}' came back damaged: {error}") from error
    if len(array) != count:
        raise ProbeError(f"'{file.name}' came back with {len(array)} rows, not {count}")
    return array
