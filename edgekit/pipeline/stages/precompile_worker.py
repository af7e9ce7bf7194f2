"""Compile a request in a process of its own, only to fill the cache.

`python -m edgekit.pipeline.stages.precompile_worker JOB`, where JOB is the path of its JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from edgekit.cache import Cache
from edgekit.devices import process
from edgekit.parent_death import die_with_parent
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.mixed_precision import resolve_mixed_precision
from edgekit.pipeline.stages.precision_repair import repaired_compilation
from edgekit.pipeline.stages.quantization_jobs import REQUEST, stated
from edgekit.pipeline.stages.stage_runner import StageRunner

TIMEOUT_S = 3600.0


def compile_in_process(request: BuildRequest, cache: Cache) -> None:
    """Put the artifacts of the request into the cache; a failure is ignored here and raised by the build itself."""
    job = {
        "parent": os.getpid(),
        "cache": str(cache.root),
        "request": stated(request),
    }
    argv = [sys.executable, "-P", "-m", "edgekit.pipeline.stages.precompile_worker", json.dumps(job)]
    process.run(argv, timeout=TIMEOUT_S)


def main(text: str) -> None:
    job = json.loads(text)
    die_with_parent(job["parent"])
    line = StageRunner(Cache(Path(job["cache"])))
    request = resolve_mixed_precision(REQUEST.validate_python(job["request"]), line)
    with repaired_compilation(Compilation(request, line)).lowered() as finished:
        finished()


if __name__ == "__main__":
    main(sys.argv[1])
