"""Retry of requests that may succeed later, with exponential backoff, and the error when they do not."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from edgekit.errors import ModelMismatch, ServerFailed, ServerRefused, ServerUnreachable, ServingError
from edgekit.measure.serving.open_inference import Access, Fault, Kind

T = TypeVar("T")

AGAIN: dict[Kind, int] = {"lost": 5, "busy": 5, "failed": 1}
"""Maximum number of retries by kind of fault."""
FIRST_S, LONGEST_S = 0.25, 4.0
"""Upper bound of the first wait, and of any."""


def with_retries(request: Callable[[], T], access: Access) -> T:
    """Call `request`, and retry after a wait if the server is busy or the connection was lost.

    Waits are drawn from a range that doubles each time: exponential backoff with full jitter
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). Raises a ServingError.
    """
    tries = 0
    while True:
        try:
            return request()
        except Fault as fault:
            if tries >= AGAIN.get(fault.kind, 0):
                raise _error(fault, access, tries) from fault
        tries += 1
        time.sleep(random.uniform(0, min(LONGEST_S, FIRST_S * 2 ** (tries - 1))))  # noqa: S311


def _error(fault: Fault, access: Access, tries: int) -> ServingError:
    where, name = str(access.address), access.token_env
    again = f", {tries + 1} times" if tries else ""
    match fault.kind:
        case "lost":
            return ServerUnreachable(
                f"no answer from the server at {where}{again}: {fault}",
                hint="is it up? edgekit reference serve starts one",
            )
        case "slow":
            return ServerUnreachable(f"{where}: {fault}", hint="reference.timeout_s allows more")
        case "untrusted":
            return ServerUnreachable(
                f"{where}: its certificate is not trusted: {fault}",
                hint="reference.ca names a PEM file of its authority",
            )
        case "refused":
            sent = f"the token in '{name}'" if name else "a request without a token"
            hint = (
                f"has it expired? export {name}=…"
                if name
                else 'reference.token_env = "NAME" of a variable that has one'
            )
            return ServerRefused(f"{where} does not take {sent}: {fault}", hint=hint)
        case "unknown":
            return ModelMismatch(
                f"{where} has no model '{access.address.model}': {fault}",
                hint="the name is in the URL, or look at the server's log",
            )
        case "invalid":
            return ServerFailed(f"{where}: {fault}", hint="the server's own log may say more")
        case _:
            return ServerFailed(
                f"{where} answered with an error{again}: {fault}", hint="the server's own log says more"
            )
