"""Real servers for tests, started by what `edgekit reference serve` starts them with."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from edgekit import examples, user_paths
from edgekit.bundle.archive import Bundle
from edgekit.bundle.signing import SigningKey
from edgekit.cache import Cache
from edgekit.errors import ServerNotStarted
from edgekit.pipeline.reference import FLOAT
from edgekit.pipeline.request import resolve_requests
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.pack import pack_bundle
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.servers.environment import environment
from edgekit.servers.kinds import KINDS, requirements
from edgekit.servers.serve import Live, ServerPorts, serving
from edgekit.specs.project import Project
from tests.devices.debian_programs import unavailable

SERVERS = ("triton", "mlserver")
DOWNLOADS = user_paths.downloads()
"""The user's own, as of the import: each test has a cache of its own, and a server is installed in a minute."""


def digits() -> Project:
    return Project.read(examples.folder("digits"))


def silent(words: str) -> None:
    """Tells nobody."""


def float_bundle(project: Project, folder: Path) -> Bundle:
    """The float bundle of a project that `edgekit reference serve` serves."""
    target, backend, profile = FLOAT
    compilation = Compilation(
        resolve_requests(project, target, backend, profile)[0], StageRunner(Cache(folder / "cache"))
    )
    with compilation.lowered() as finished:
        return pack_bundle(compilation, finished(), SigningKey.generate(), folder)


def installed(bundle: Bundle, *servers: str) -> None:
    """Sees to it that servers are installed. Skips where they cannot be, or fails: EDGEKIT_REQUIRE_EMULATION=1."""
    for server in servers:
        kind = KINDS[server]
        try:
            environment(kind, requirements(kind, bundle.manifest), Cache(DOWNLOADS), silent)
        except ServerNotStarted as error:
            unavailable(str(error))


@contextlib.contextmanager
def live(bundle: Bundle, server: str, ports: ServerPorts | None = None) -> Iterator[Live]:
    with serving(bundle, server, ports or ServerPorts.free(), Cache(DOWNLOADS), silent) as started:
        yield started


def nothing_left(process_group: int, within_s: float = 60.0) -> bool:
    """Wait until the killed are reaped; tell whether no process of the group and no shared memory of Triton is left."""
    deadline = time.monotonic() + within_s
    while _alive(process_group):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return not list(Path("/dev/shm").glob(f"pytrtion{process_group}-*"))


def _alive(process_group: int) -> bool:
    try:
        os.killpg(process_group, 0)
    except ProcessLookupError:
        return False
    return True
