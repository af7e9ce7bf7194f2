"""What a device lacks of a bundle, sent in one archive, and put into a slot."""

from __future__ import annotations

import contextlib
import io
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from edgekit.bundle.manifest import MANIFEST, SIGNATURE
from edgekit.cache import storage_errors
from edgekit.devices.answers import Done, Missing, Moved, Status
from edgekit.devices.onboard import Runner
from edgekit.errors import EdgekitError

if TYPE_CHECKING:
    from edgekit.bundle.archive import Bundle

STAGE_S = 300.0


def stage(bundle: Bundle, runner: Runner, token: str, found: Status, keep_s: float) -> Moved:
    """The bundle in a slot, verified there; `found` is how the slots are. The lease is kept for `keep_s` afterwards."""
    root = runner.transport.root
    staging = root / "staging" / bundle.identity
    try:
        if not _is_there(bundle, found):
            _send(bundle, runner, token, staging)
        keep = ("--keep", keep_s, *_said(bundle, runner, token))
        return runner.ask(Moved, "slots", "stage", root, staging, bundle.identity, *keep, timeout=STAGE_S)
    except BaseException:
        with contextlib.suppress(EdgekitError):
            runner.remove(staging.parent)
        raise


def _is_there(bundle: Bundle, found: Status) -> bool:
    """Whether a slot has the bundle, whole, with its signatures, and it has not failed."""
    signers = {key.id for key in bundle.signers}
    held = (slot for slot in found.slots.values() if slot.digest == bundle.identity and slot.state != "failed")
    return any(slot.whole and signers <= set(slot.signers) for slot in held)


def _said(bundle: Bundle, runner: Runner, token: str) -> list[str]:
    """What every verb that brings a bundle is told."""
    stand_in = ["--stand-in"] if runner.transport.kind == "local" else []
    return ["--lease", token, *(f"--offer={key.raw.hex()}" for key in bundle.signers), *stand_in]


def _send(bundle: Bundle, runner: Runner, token: str, staging: PurePosixPath) -> None:
    """Manifest and signature first: nothing else is sent to a device that refuses them."""
    device, said = runner.transport, _said(bundle, runner, token)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for each in (MANIFEST, SIGNATURE):
            with storage_errors(folder):
                (folder / each).write_bytes(bundle.read(each))
            device.push(folder / each, staging / each)
        answer = runner.ask(Missing, "slots", "prepare", device.root, bundle.identity, *said, timeout=STAGE_S)
        if not answer.missing:
            return
        archive = staging.with_name(f"{staging.name}.tar")
        with storage_errors(folder):
            _write_archive(bundle, answer.missing, folder / archive.name)
        device.push(folder / archive.name, archive)
        runner.ask(Done, "slots", "unpack", device.root, bundle.identity, archive, *said, timeout=STAGE_S)


def _write_archive(bundle: Bundle, names: Iterable[str], path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name in names:
            content = bundle.read(name)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
