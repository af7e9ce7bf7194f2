"""Cloud-serving reference: a model behind a real inference server on this machine."""

from __future__ import annotations

from contextlib import AbstractContextManager

from edgekit.bundle.archive import Bundle
from edgekit.cache import Cache
from edgekit.pipeline.reference import served_bundle, served_project
from edgekit.pipeline.stages.stage_runner import StageRunner, Watch, unwatched
from edgekit.servers.serve import Live, ServerPorts
from edgekit.specs.project import Project


def serve_reference(
    model: Bundle | Project, server: str, ports: ServerPorts, watch: Watch = unwatched
) -> AbstractContextManager[Live]:
    """Serve a model by the Open Inference Protocol, for as long as the context lasts.

    Args:
        model: a bundle of any format, or a project whose float network is lowered for this machine and served.
        server: a name of `edgekit.servers`: `triton` or `mlserver`. It is installed the first time.
        ports: ports of 127.0.0.1.
        watch: called with each stage as it begins and ends.

    Raises:
        EdgekitError: of the compiler, the installation, or the server.
    """
    line = StageRunner(Cache.default().made(), watch)
    if isinstance(model, Bundle):
        return served_bundle(model, server, ports, line)
    return served_project(model, server, ports, line)
