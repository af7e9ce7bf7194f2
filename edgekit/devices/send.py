"""What a device lacks of a bundle, sent in one archive, and put into a slot."""

from __future__ import annotations

import base64
import contextlib
import io
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from edgekit.bundle.manifest import MANIFEST, SIGNATURE
from edgekit.cache import storage_errors
from edgekit.devices.answers import Begun, Missing, Moved
from edgekit.devices.leased import me
from edgekit.devices.onboard import Runner
from edgekit.errors import EdgekitError

if TYPE_CHECKING:
    from edgekit.bundle.archive import Bundle

STAGE_S = 300.0
ARGUMENTS_BYTES = 64 << 10
"""Up to here manifest and signature come with the first question: a command line has 100 KB, and every trip costs."""


def begin(bundle: Bundle, runner: Runner, token: str) -> Begun:
    """Where the bundle is there, and what is missing. Its lease is held from now on, unless it is committed."""
    contents = [base64.b64encode(bundle.read(name)).decode() for name in (MANIFEST, SIGNATURE)]
    small = sum(map(len, contents)) < ARGUMENTS_BYTES
    brought = ["--brought", *contents] if small else []
    asked = (token, bundle.identity, "--who", me(), *_said(bundle, runner), *brought)
    return runner.ask(Begun, "slots", "begin", runner.transport.root, *asked, timeout=STAGE_S)


def stage(bundle: Bundle, runner: Runner, token: str, begun: Begun, keep_s: float) -> Moved:
    """The bundle in a slot, verified there. The lease is kept for `keep_s` afterwards."""
    root = runner.transport.root
    staging = root / "staging" / bundle.identity
    said = ["--lease", token, *_said(bundle, runner)]
    try:
        missing = begun.missing
        if missing is None:
            missing = _prepare(bundle, runner, staging, said)
        archive = _send(bundle, runner, staging, missing) if missing else []
        asked = (staging, bundle.identity, "--keep", keep_s, *archive, *said)
        return runner.ask(Moved, "slots", "stage", root, *asked, timeout=STAGE_S)
    except BaseException:
        with contextlib.suppress(EdgekitError):
            runner.remove(staging.parent)
        raise


def _said(bundle: Bundle, runner: Runner) -> list[str]:
    """What every verb that brings a bundle is told."""
    stand_in = ["--stand-in"] if runner.transport.kind == "local" else []
    return [*(f"--offer={key.raw.hex()}" for key in bundle.signers), *stand_in]


def _prepare(bundle: Bundle, runner: Runner, staging: PurePosixPath, said: list[str]) -> tuple[str, ...]:
    """What is missing beside a manifest that was too long to be told with the first question."""
    device = runner.transport
    with tempfile.TemporaryDirectory() as name:
        for each in (MANIFEST, SIGNATURE):
            with storage_errors(Path(name)):
                (Path(name) / each).write_bytes(bundle.read(each))
            device.push(Path(name) / each, staging / each)
    return runner.ask(Missing, "slots", "prepare", device.root, bundle.identity, *said, timeout=STAGE_S).missing


def _send(bundle: Bundle, runner: Runner, staging: PurePosixPath, missing: Iterable[str]) -> list[str]:
    """Put what is missing there, in one archive: the option that names it."""
    archive = staging.with_name(f"{staging.name}.tar")
    with tempfile.TemporaryDirectory() as name:
        local = Path(name) / archive.name
        with storage_errors(local.parent):
            _write_archive(bundle, missing, local)
        runner.transport.push(local, archive)
    return ["--archive", str(archive)]


def _write_archive(bundle: Bundle, names: Iterable[str], path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name in names:
            content = bundle.read(name)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
