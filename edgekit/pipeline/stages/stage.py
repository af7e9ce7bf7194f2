"""One stage of a build: its name, the key of its result, and the function that makes the result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Concatenate, Generic, ParamSpec

from edgekit.pipeline.stages.stage_runner import StageRunner

P = ParamSpec("P")


@dataclass(frozen=True)
class Stage(Generic[P]):
    """One step of a build, the same object for a build, which runs it, and for a plan, which reads name and key.

    A new stage is one function that returns its `Stage`, called by `plan` and by what runs the stage:

        def histogram_stage(compilation: Compilation) -> Stage[[]]:
            def make(out: Path) -> None:
                (out / "histogram.json").write_text(...)

            return Stage("histogram", lambda: digest_of({"program": compilation.capture.key}), make)
    """

    name: str
    compute_key: Callable[[], str]
    """Key of its result: changes with everything that the result depends on. May load the project's network."""
    make: Callable[Concatenate[Path, P], None]
    """Fill the folder that it is called with; further parameters exist only during a build, such as the bundle."""

    @cached_property
    def key(self) -> str:
        return self.compute_key()

    def run(self, line: StageRunner, *args: P.args, **kwargs: P.kwargs) -> Path:
        """Folder of its result: from the cache, else made now. Raises what `make` does."""
        return line.entry(self.name, self.key, lambda out: self.make(out, *args, **kwargs))
