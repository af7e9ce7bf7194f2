"""A bundle onto a device: what it lacks is sent in one archive, then one process there does the rest."""

from __future__ import annotations

import base64
import io
import tarfile
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from edgekit.cache import storage_errors
from edgekit.devices.lease import me
from edgekit.devices.protocol import Begun, Flashed
from edgekit.devices.runner_client import Runner
from edgekit.devices.survey import Survey
from edgekit.devices.tensorrt import BUILD_S, BUILDING_S, has_plan
from edgekit.errors import CommandFailed, SelfTestFailed
from edgekit.runner.layout import MANIFEST, SIGNATURE

if TYPE_CHECKING:
    from edgekit.bundle.archive import Bundle

STAGE_S, SELFTEST_S = 300.0, 600.0
ARGUMENTS_BYTES = 64 << 10
"""Up to here manifest and signature are arguments of the question: a command line has 100 KB, and every trip costs."""
AHEAD_BYTES = 16 << 20
"""Up to here files are sent before the device has verified the manifest. Beyond, it is asked first: what it refuses
is not sent, and nobody else flashes it while they are on their way."""


@dataclass(frozen=True)
class LeasedTransfer:
    """A bundle for a device, under a lease."""

    bundle: Bundle
    runner: Runner
    token: str
    trial_s: float
    commit: bool
    """Whether it is served as soon as it has passed its self-test."""

    def send(self, there: Survey) -> Flashed:
        """Bring what is not `there`, and have the bundle installed. What was thought to be there, and is not, follows.

        Raises SelfTestFailed if the runner ends without an answer, and what `Runner.ask` and `push` do.
        """
        missing = self._missing(there)
        for _ in range(2):
            if missing:
                self._push_archive(missing)
            answer = self._install()
            if not (answer.missing is None or answer.missing):
                return answer
            missing = self._lacking(answer)
        raise CommandFailed(f"{self.runner.transport.url}: what was sent is not there", hint="try again")

    def _missing(self, there: Survey) -> tuple[str, ...]:
        """What is to be sent first."""
        lacking = [file for file in self.bundle.manifest.files if (file.path, file.sha256) not in there.listed]
        if lacking and not self._is_short:
            self._push_head()
        if sum(file.bytes for file in lacking) <= AHEAD_BYTES:
            return tuple(file.path for file in lacking)
        return self._lacking(self.runner.ask(Begun, *self._argv("begin"), timeout=STAGE_S))

    def _lacking(self, answer: Begun) -> tuple[str, ...]:
        """What the device says it lacks; of a manifest that it has lost, all."""
        paths = tuple(file.path for file in self.bundle.manifest.files)
        if answer.missing is not None:
            return tuple(path for path in paths if path in answer.missing)
        self._push_head()
        return paths

    def _install(self) -> Flashed:
        planned = has_plan(self.bundle.manifest)
        said = ["--deadline", self.trial_s, *(["--engine", BUILD_S] if planned else [])]
        said += ["--commit"] if self.commit else []
        limit_s = STAGE_S + SELFTEST_S + BUILDING_S * planned
        argv = self._argv("install", *said)
        return self.runner.ask(Flashed, *argv, timeout=limit_s, silence=SelfTestFailed)

    def _argv(self, verb: str, *more: object) -> tuple[object, ...]:
        device, bundle = self.runner.transport, self.bundle
        said = ["--who", me(), *(f"--offer={key.raw.hex()}" for key in bundle.signers)]
        said += ["--stand-in"] if device.kind == "local" else []
        said += ["--brought", *self._head()] if self._is_short else []
        return ("slots", verb, device.root, self.token, bundle.digest, *said, *more)

    def _head(self) -> list[str]:
        """Manifest and signature, as arguments are written."""
        return [base64.b64encode(self.bundle.read(name)).decode() for name in (MANIFEST, SIGNATURE)]

    @property
    def _is_short(self) -> bool:
        return sum(map(len, self._head())) < ARGUMENTS_BYTES

    @property
    def _staging(self) -> PurePosixPath:
        return self.runner.transport.root / "staging" / self.bundle.digest

    def _push_head(self) -> None:
        """Send a manifest that is too long for a command line, and its signature."""
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


def _write_archive(bundle: Bundle, names: Iterable[str], path: Path) -> None:
    with tarfile.open(path, "w") as archive:
        for name in names:
            content = bundle.read(name)
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
