"""The interface of a runtime: a model file becomes a function from arrays to arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..errors import RunnerError

if TYPE_CHECKING:
    from ..model.io_signature import IoSignature
    from ..model.manifest import RunnerManifest
    from ..model.tensors import Call
    from .trace import Trace


NEWER = "Didn't find op for builtin opcode"
"""What TensorFlow Lite says of an operator, or a version of one, that came after it."""


class Runtime(Protocol):
    """Imports what it needs when made."""

    provider: str | None
    """What runs the model that was loaded last, as targets name it, where a runtime has several to choose from."""

    def load(self, manifest: RunnerManifest, threads: int) -> Call: ...

    def trace(self, manifest: RunnerManifest, threads: int, scratch: Path) -> Trace:
        """The same model, loaded so that it is traced; `scratch` is a folder for what is written meanwhile."""
        ...

    def edges(self, model: Path) -> IoSignature:
        """What a bare file takes and gives."""
        ...


def load(runtime: Runtime, manifest: RunnerManifest, threads: int) -> Call:
    """The model as a function. Raises RunnerError (load)."""
    with load_errors(manifest):
        return runtime.load(manifest, threads)


@contextmanager
def load_errors(manifest: RunnerManifest) -> Iterator[None]:
    """What a runtime raises while it loads a model, as RunnerError."""
    try:
        yield
    except RunnerError:
        raise
    except Exception as error:
        if NEWER in str(error):
            raise RunnerError("runtime", f"'{manifest.model.name}' needs a newer runtime: {error}") from error
        raise RunnerError("load", f"'{manifest.model.name}' cannot be loaded: {error}") from error
