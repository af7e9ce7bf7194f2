"""Open the endpoint that a project's `[reference]` names."""

from __future__ import annotations

import os
import re

from edgekit.errors import OptionError, ServerRefused, SpecError
from edgekit.measure.serving.endpoint import ServedModel
from edgekit.measure.serving.open_inference import Access
from edgekit.measure.shards import Shards
from edgekit.specs.project import Project

VISIBLE = re.compile(r"[!-~]+")


def open_reference(project: Project, shards: Shards) -> ServedModel:
    """Make the endpoint of the served model that `project.reference` names, without connecting yet.

    Raises OptionError if it is the eager network, ServerRefused if the variable with the token is not set, SpecError
    if the file of authorities is not there.
    """
    reference, address = project.reference, project.reference.address
    if address is None:
        raise OptionError(
            "the reference is the eager network, no server", hint="--reference http://HOST:PORT/v2/models/NAME"
        )
    token = os.environ.get(reference.token_env, "").strip() if reference.token_env else None
    if token == "":
        name = reference.token_env
        raise ServerRefused(
            f"reference.token_env: '{name}' is not set", hint=f"export {name}=…, the token for {address}"
        )
    if token and not VISIBLE.fullmatch(token):
        raise ServerRefused(
            f"reference.token_env: '{reference.token_env}' holds what no header can", hint="one line of visible ASCII"
        )
    ca = project.root / reference.ca if reference.ca else None
    if ca and not ca.is_file():
        raise SpecError(f"reference.ca: there is no '{ca}'", hint="a PEM file, relative to the project")
    access = Access(
        address, reference.timeout_s, token, reference.token_env, ca, reference.batch, reference.concurrency
    )
    return ServedModel(project, access, shards)
