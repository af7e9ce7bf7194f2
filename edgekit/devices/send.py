"""Transfer of a bundle: the files that the device lacks go in one archive, then one process there installs them."""

from __future__ import annotations

import base64
import io
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from edgekit.cache import storage_errors
from edgekit.devices.compatibility import content_bytes
from edgekit.devices.lease import holder_name
from edgekit.devices.protocol import Begun, Flashed
from edgekit.devices.runner_client import Runner
from edgekit.devices.survey import Survey
from edgekit.devices.tensorrt import BUILD_S, BUILDING_S, has_plan
from edgekit.errors import CommandFailed, SelfTestFailed
from edgekit.runner.files.integrity import CHUNK
from edgekit.runner.layout import MANIFEST, SIGNATURE

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from edgekit.bundle.archive import Bundle

STAGE_S, SELFTEST_S = 300.0, 600.0
DISK_BYTES_A_SECOND = 5e6
"""Slowest disk that is planned for, in bytes/s: what an old SD card writes, reads back and verifies of a bundle."""
ARGUMENTS_BYTES = 64 << 10
"""Largest size of manifest and signature that go as arguments: a command line has 100 KB, and every trip costs."""
AHEAD_BYTES = 16 << 20
"""Largest size of files that are sent before the device has verified the manifest. Beyond, it begins the flash first:
a bundle that it refuses is not sent, and no other host flashes it during the transfer."""


@dataclass(frozen=True)
class LeasedTransfer:
    """Transfer of a bundle to a device, under the lease of `token`."""

    bundle: Bundle
    runner: Runner
    token: str
    trial_s: float
    commit: bool
    """True to serve it as soon as it has passed its self-test."""

    def send(self, survey: Survey) -> Flashed:
        """Send the files that the survey does not list, and install the bundle; send the rest if more are missing.

        Raises SelfTestFailed if the runner ends without an answer, and what `Runner.ask` and `push` do.
        """
        missing = self._missing(survey)
        for _ in range(2):
            if missing:
                self._push_archive(missing)
            answer = self._install()
            if not (answer.missing is None or answer.missing):
                return answer
            missing = self._lacking(answer)
        raise CommandFailed(f"{self.runner.transport.url}: what was sent is not there", hint="try again")

    def _missing(self, survey: Survey) -> tuple[str, ...]:
        """Paths of the files to send first."""
        lacking = [file for file in self.bundle.manifest.files if (file.path, file.sha256) not in survey.listed]
        if lacking and not self._is_short:
            self._push_head()
        if sum(file.bytes for file in lacking) <= AHEAD_BYTES:
            return tuple(file.path for file in lacking)
        return self._lacking(self.runner.ask(Begun, *self._argv("begin"), timeout=self._stage_s))

    def _lacking(self, answer: Begun) -> tuple[str, ...]:
        """Paths of the files that the device lacks, by its answer; all, after the manifest, if it has lost that."""
        paths = tuple(file.path for file in self.bundle.manifest.files)
        if answer.missing is not None:
            return tuple(path for path in paths if path in answer.missing)
        self._push_head()
        return paths

    def _install(self) -> Flashed:
        planned = has_plan(self.bundle.manifest)
        options = ["--deadline", self.trial_s, *(["--engine", BUILD_S] if planned else [])]
        options += ["--commit"] if self.commit else []
        limit_s = (
            STAGE_S + SELFTEST_S + BUILDING_S * planned + content_bytes(self.bundle.manifest) / DISK_BYTES_A_SECOND
        )
        argv = self._argv("install", *options)
        return self.runner.ask(Flashed, *argv, timeout=limit_s, silence=SelfTestFailed)

    def _argv(self, verb: str, *more: object) -> tuple[object, ...]:
        device, bundle = self.runner.transport, self.bundle
        options = ["--who", holder_name(), *(f"--offer={key.raw.hex()}" for key in bundle.signers)]
        options += ["--stand-in"] if device.kind == "local" else []
        options += ["--brought", *self._head()] if self._is_short else []
        return ("slots", verb, device.root, self.token, bundle.digest, *options, *more)

    def _head(self) -> list[str]:
        """Manifest and signature in base64, for the command line."""
        return [base64.b64encode(self.bundle.read(name)).decode() for name in (MANIFEST, SIGNATURE)]

    @property
    def _stage_s(self) -> float:
        """Seconds after which a device that copies, verifies and flushes the files is given up."""
        return STAGE_S + content_bytes(self.bundle.manifest) / DISK_BYTES_A_SECOND

    @property
    def _is_short(self) -> bool:
        return sum(map(len, self._head())) < ARGUMENTS_BYTES

    @property
    def _staging(self) -> PurePosixPath:
        return self.runner.transport.root / "staging" / self.bundle.digest

    def _push_head(self) -> None:
        """Push a manifest that is too long for the command line, and its signature."""
        with tempfile.TemporaryDirectory() as name:
            for each in (MANIFEST, SIGNATURE):
                with storage_errors(Path(name)):
                    (Path(name) / each).write_bytes(self.bundle.read(each))
                self.runner.transport.push(Path(name) / each, self._staging / each)

    def _push_archive(self, missing: Iterable[str]) -> None:
        archive = self._staging.with_name(f"{self._staging.name}.tar")
        with tempfile.TemporaryDirectory() as name:
            local = Path(name) / archive.name
            with storage_errors(local.parent):
                _write_archive(self.bundle, missing, local)
            self.runner.transport.push(local, archive)


class _ChunkReader(io.RawIOBase):
    """Content of a bundle's file as a file object, which is read once and never whole in memory."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        super().__init__()
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        self._rest = self._rest or next(self._chunks, b"")
        view = memoryview(buffer)
        part, self._rest = self._rest[: len(view)], self._rest[len(view) :]
        view[: len(part)] = part
        return len(part)


def _write_archive(bundle: Bundle, names: Iterable[str], path: Path) -> None:
    """Write a tar of these files. Raises SignatureError if one changed since the bundle was opened."""
    sizes = {file.path: file.bytes for file in bundle.manifest.files}
    with tarfile.open(path, "w") as archive:
        for name in names:
            member = tarfile.TarInfo(name)
            member.size = sizes[name]
            with io.BufferedReader(_ChunkReader(bundle.chunks(name)), CHUNK) as content:
                archive.addfile(member, content)
                content.read(1)  # the digest is compared after the last piece
