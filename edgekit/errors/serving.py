"""Errors of reference servers."""

from __future__ import annotations

from edgekit.errors.base import EdgekitError


class ServingError(EdgekitError):
    """A server did not answer as it must, or could not be started here. Answers that came before are kept."""

    code = "EK700"


class ServerUnreachable(ServingError):
    """The server gave no answer, or none within the time limit: it is not there, went away, or is too slow."""

    code = "EK701"


class ServerRefused(ServingError):
    """The server does not let us in: the token that `reference.token_env` names is missing, wrong or has expired."""

    code = "EK702"


class ModelMismatch(ServingError):
    """The server has no such model, or its model takes or gives something else than the project states."""

    code = "EK703"


class ServerFailed(ServingError):
    """The server answered a request with an error, or with something that is no answer to it."""

    code = "EK704"


class ServerNotStarted(ServingError):
    """A server could not be installed or started on this machine. The last lines that it wrote are in the message."""

    code = "EK705"
