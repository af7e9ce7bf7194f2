"""Choose the client for the address of a served model: gRPC or HTTP."""

from __future__ import annotations

import importlib.util

from edgekit.errors import MissingExtra
from edgekit.errors.extras import extra_hint
from edgekit.measure.serving.open_inference import Access, Client
from edgekit.measure.serving.over_http import Http


def connect(access: Access) -> Client:
    """Make a client, which connects at its first request. Raises MissingExtra if gRPC has no library."""
    if access.address.grpc:
        if importlib.util.find_spec("tritonclient") is None:
            raise MissingExtra("gRPC is spoken by 'tritonclient', which is not installed", hint=extra_hint("serving"))
        from edgekit.measure.serving.over_grpc import Grpc

        return Grpc(access)
    return Http(access)
