"""The interface of a runtime: a model file becomes a function from arrays to arrays."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ..errors import RunnerError

if TYPE_CHECKING:
    from ..model.accelerator import AcceleratorFacts
    from ..model.io_signature import IoSignature
    from ..model.manifest import RunnerManifest
    from ..model.tensors import Call
    from .trace import Trace


NEWER = "Didn't find op for builtin opcode"
"""Text in TensorFlow Lite's error about an operator, or a version of one, that is newer than the runtime."""


class Runtime(Protocol):
    """A runtime that loads model files of one format.

    To write one:

    1. Add a module with a class of these methods. Import the runtime's package in `__init__`, not at the top.
    2. Return a function from `load`, from arrays [1, …] to arrays [1, …], in the order of the manifest. Raise
       anything where the model does not load: `load_errors` makes a RunnerError of it.
    3. Return `trace.Untraced` from `trace` if the runtime has no profiler of its own.
    4. Name its distributions in `machine/runtime_versions.DISTRIBUTIONS` and its maker in
       `select_runtime.RUNTIMES`.

        class Fast:
            provider = accelerator = None

            def load(self, manifest, threads):
                model = self._fast.open(str(manifest.model), threads)
                return lambda inputs: model.run(inputs)
    """

    provider: str | None
    """Execution provider of the model that was loaded last, by its name in targets; None where there is no choice."""
    accelerator: AcceleratorFacts | None
    """Facts on the accelerator that runs the model that was loaded last; None where the request named none."""

    def load(self, manifest: RunnerManifest, threads: int) -> Call:
        """Load the model as a function, to run on so many threads."""
        ...

    def trace(self, manifest: RunnerManifest, threads: int, scratch: Path) -> Trace:
        """Load the model so that the runtime traces its operators; `scratch` is a folder for temporary files."""
        ...

    def edges(self, model: Path) -> IoSignature:
        """Inputs and outputs of a bare model file."""
        ...


def load(runtime: Runtime, manifest: RunnerManifest, threads: int) -> Call:
    """Load the model as a function. Raises RunnerError (load), or (runtime) if it needs a newer one."""
    with load_errors(manifest):
        return runtime.load(manifest, threads)


@contextmanager
def load_errors(manifest: RunnerManifest) -> Iterator[None]:
    """Raise every exception of the block, in which a runtime loads a model, as RunnerError (load or runtime)."""
    try:
        yield
    except RunnerError:
        raise
    except Exception as error:
        if NEWER in str(error):
            raise RunnerError("runtime", f"'{manifest.model.name}' needs a newer runtime: {error}") from error
        raise RunnerError("load", f"'{manifest.model.name}' cannot be loaded: {error}") from error
