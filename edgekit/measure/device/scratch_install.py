"""Install a model on a device beside its A/B slots, to be measured and never served."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from edgekit.cache import file_digest
from edgekit.devices.flash import Installation
from edgekit.devices.packs.equip import equip
from edgekit.devices.runner_install import put_runner
from edgekit.devices.transport import Transport
from edgekit.errors import EdgekitError
from edgekit.ir.artifact import Format
from edgekit.runner.layout import MANIFEST, PROBE

NO_VERSIONS: Mapping[str, str] = MappingProxyType({})


@contextlib.contextmanager
def scratch_install(
    folder: Path, format: Format, device: Transport, runtime: str, versions: Mapping[str, str] = NO_VERSIONS
) -> Iterator[Installation]:
    """Yield the model of `folder`, with its manifest, installed on the device; it is removed afterwards.

    `runtime` is as `--runtime` takes it: auto, system, or a pack's name. `versions` holds those of the packages that
    made the model. Raises what `equip` does, Unreachable, StorageError, CommandFailed.
    """
    runner, _ = put_runner(device, equip(device, format, versions, runtime))
    place = device.root / PROBE / f"model-{secrets.token_hex(8)}"
    try:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            device.push(path, place / path.relative_to(folder).as_posix())
        yield Installation(runner, PurePosixPath(place), file_digest(folder / MANIFEST), committed=False)
    finally:
        with contextlib.suppress(EdgekitError):
            runner.remove(place)
