"""Answers of an artifact on this host, by the runner that devices run."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from edgekit.bundle.archive import Bundle
from edgekit.cache import digest_of, tool_versions
from edgekit.ir.measurement import Measurement
from edgekit.measure import store
from edgekit.measure.device.installed_bundle import outputs_in_parts, unpacked
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.inputs import CachedData
from edgekit.pipeline.stages.stage import Stage
from edgekit.samples import Samples


def on_host(compilation: Compilation, data: CachedData, bundle: Callable[[], Bundle]) -> Measurement:
    """Measure the artifact on `data`, on this host. bundle: makes a bundle of it, if it was not measured before."""
    return store.load(verify_stage(compilation, data).run(compilation.line, bundle) / "measurement")


def verify_stage(compilation: Compilation, data: CachedData) -> Stage[[Callable[[], Bundle]]]:
    """The stage that runs the artifact on `data`, on this host; run with what makes the bundle."""

    def compute_key() -> str:
        versions = tool_versions(compilation.request.backend.packages)
        return digest_of({"stage": "verify", "artifact": compilation.lower.key, "data": data.key, "versions": versions})

    def make(out: Path, bundle: Callable[[], Bundle]) -> None:
        store.save(measured_on_host(bundle(), data.samples), out / "measurement")

    return Stage("verify", compute_key, make)


def measured_on_host(bundle: Bundle, samples: Samples) -> Measurement:
    """Measure a bundle on this host."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "bundle"
        bundle.extract(folder)
        with unpacked(folder) as endpoint:
            return outputs_in_parts(endpoint, samples, os.cpu_count() or 1)
