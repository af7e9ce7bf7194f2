"""Serve the float model of a project on this machine: a reference to compare with before there is a cloud."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from edgekit.bundle.archive import Bundle
from edgekit.bundle.signing import SigningKey
from edgekit.cache import Cache
from edgekit.pipeline.request import resolve_requests
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.pack import pack_bundle
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.servers.serve import Live, ServerPorts, serving
from edgekit.specs.project import Project

FLOAT = ("host", "onnx", "float32")
"""Target, backend and profile of the served model where no bundle is named."""


@contextlib.contextmanager
def served_project(project: Project, server: str, ports: ServerPorts, line: StageRunner) -> Iterator[Live]:
    """Serve the project's network as it was trained, lowered for this machine.

    server: a name of `edgekit.servers`. Raises what the compiler and `serving` do.
    """
    target, backend, profile = FLOAT
    compilation = Compilation(resolve_requests(project, target, backend, profile)[0], line)
    with tempfile.TemporaryDirectory() as scratch:
        with compilation.lowered() as finished:
            # A throw-away key: the bundle does not leave this process.
            bundle = pack_bundle(compilation, finished(), SigningKey.generate(), Path(scratch))
        with served_bundle(bundle, server, ports, line) as live:
            yield live


@contextlib.contextmanager
def served_bundle(bundle: Bundle, server: str, ports: ServerPorts, line: StageRunner) -> Iterator[Live]:
    """Serve a bundle of any format. Raises what `serving` does."""
    with contextlib.ExitStack() as stack:
        with line.stage("server"):
            live = stack.enter_context(serving(bundle, server, ports, Cache.of_downloads(), line.teller("server")))
        yield live
