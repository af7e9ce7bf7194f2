"""Operators that the accelerators of the target will not take, told by plan and report before anything is shipped."""

from __future__ import annotations

from edgekit.backends.accelerator_fit import AcceleratorFit, accelerator_fit, graph_steps
from edgekit.ir.artifact import Artifact
from edgekit.pipeline.request import BuildRequest
from edgekit.specs.accelerator_kind import AcceleratorKind
from edgekit.specs.catalog import Catalog

MOST_BYTES = 1 << 30
"""Size of an entry file from which on it is not read once more for this."""


def accelerator_fits(request: BuildRequest, artifact: Artifact) -> tuple[AcceleratorFit, ...]:
    """Check the artifact for every accelerator of the target that has rules and runs such a file.

    Its graph is read off the entry file; weights in a file of their own are not read.
    """
    catalog = Catalog.default(request.project.root)
    stated = request.target.accelerators(request.runtime.backend)
    kinds = [(catalog.accelerator(each.kind), each) for each in stated]
    ruled = [(facts, each) for facts, each in kinds if facts.takes]
    if not ruled or artifact.entry.stat().st_size > MOST_BYTES:
        return ()
    steps = graph_steps(artifact.entry, artifact.format)
    free = next((str(length) for length in request.project.lengths), "")
    return tuple(accelerator_fit(facts, each, steps, free) for facts, each in ruled)


def unused_accelerators(request: BuildRequest) -> dict[str, str]:
    """Sentences on accelerators that the target states and that no file is built for, by kind, with what was tried."""
    catalog = Catalog.default(request.project.root)
    stated = request.target.accelerators(request.runtime.backend)
    described = [(each, facts) for each in stated if (facts := catalog.accelerator(each.kind)).evidence == "described"]
    return {each.kind: _unused(each.unit, facts, request.runtime.backend) for each, facts in described}


def _unused(unit: str, facts: AcceleratorKind, backend: str) -> str:
    reason = next((trial.because for trial in facts.trial if trial.backend == backend), "nothing is built for it")
    return f"the {unit} is not used by {facts.id}: {reason}"
