"""build(): project → signed bundle, verified on this host, with every gate decided that needs no device."""

from __future__ import annotations

from pathlib import Path

from edgekit.bundle.archive import Bundle
from edgekit.bundle.signing import SigningKey
from edgekit.cache import digest_of, tool_versions
from edgekit.errors import EdgekitError, ForwardError
from edgekit.ir.measurement import Measurement
from edgekit.measure import store
from edgekit.pipeline.both_endpoints import BothEndpoints, Respondent
from edgekit.pipeline.bundle_with_bins import bundle_with_bins
from edgekit.pipeline.evidence import Evidence
from edgekit.pipeline.exclusive_folder import exclusive
from edgekit.pipeline.host_answers import measured_on_host, on_host
from edgekit.pipeline.outside_samples import check_outside
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.robustness import plan_of
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.float_parity import check_float_parity
from edgekit.pipeline.stages.inputs import CachedData
from edgekit.pipeline.stages.labels import check_labels
from edgekit.pipeline.stages.mixed_precision import resolve_mixed_precision
from edgekit.pipeline.stages.precision_repair import repaired_compilation
from edgekit.pipeline.stages.stage import Stage
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.pipeline.stages.temperature import settled_temperature
from edgekit.pipeline.stages.vendor_comparison import blamed
from edgekit.pipeline.verdict import decide
from edgekit.report.report import Report
from edgekit.samples import Samples
from edgekit.specs.factory import RAISED, in_a_line, place

ENOUGH = 2000
"""Default number of evaluation samples that a build decides its gates on; `run` takes them all."""


def build(request: BuildRequest, line: StageRunner, out: Path, key: SigningKey, samples: int | None = None) -> Report:
    """Compile, pack into the folder `out`, verify on this host, and report. Raises what its stages raise."""
    with exclusive(out) as staging:
        data = evaluation(request, line, samples or ENOUGH)
        plan_of(request, data.samples)  # perturbations that do not fit are told before minutes of compiling
        compilation = compilation_of(request, line, data)
        with compilation.lowered() as finished:
            reference = eager_answers(compilation, data)
            compilation.network.release()
            with blamed(compilation):
                compiled = finished()
        bundle = bundle_with_bins(compilation, compiled, key, staging)
        candidate = on_host(compilation, data, lambda: bundle)
        check_float_parity(request.profile, reference, candidate)
        both = both_on_host(compilation, bundle)
        evidence = Evidence(reference, candidate, data.samples.sampling, samples=data.samples, both=both)
        return decide(compilation, compiled, bundle, evidence, None, staging)


def compilation_of(request: BuildRequest, line: StageRunner, data: CachedData) -> Compilation:
    """Compilation of a request whose recipe is settled. Raises DataError if the labels of `data` cannot be scored."""
    compilation = Compilation(request, line)
    check_labels(compilation, data)
    check_outside(request, line, len(data.samples))
    settled = resolve_mixed_precision(settled_temperature(request, line), line)
    return repaired_compilation(compilation if settled is request else Compilation(settled, line))


def evaluation(request: BuildRequest, line: StageRunner, samples: int | None) -> CachedData:
    """Evaluation samples that a verdict is made of; `samples` limits their number, None takes all."""
    return CachedData(request.project, line, "evaluation", samples)


def eager_answers(compilation: Compilation, data: CachedData) -> Measurement:
    """Measure the float network on `data`, in this process, while the converter works in its own."""
    return store.load(reference_stage(compilation, data).run(compilation.line) / "measurement")


def reference_stage(compilation: Compilation, data: CachedData) -> Stage[[]]:
    """The stage that runs the float network on `data`."""

    def compute_key() -> str:
        return digest_of(
            {
                "stage": "reference",
                "model": compilation.network.key,
                "data": data.key,
                "versions": tool_versions(("torch",)),
            }
        )

    def make(out: Path) -> None:
        store.save(_measured_eagerly(compilation, data.samples), out / "measurement")

    return Stage("reference", compute_key, make)


def _measured_eagerly(compilation: Compilation, samples: Samples) -> Measurement:
    from edgekit.frontend.eager import Eager

    project, network = compilation.request.project, compilation.network
    try:
        return Eager(lambda: network.twin).measure(samples, None)
    except EdgekitError:
        raise
    except RAISED as error:
        raise ForwardError(
            f"the model's forward failed on evaluation samples{place(error, project.root)}: {in_a_line(error)}",
            hint="EDGEKIT_DEBUG=1 shows the whole of it",
        ) from error


def eager_respondent(compilation: Compilation) -> Respondent:
    """The float network, for other samples than the evaluation set."""
    versions = tool_versions(("torch",))
    key = lambda: digest_of({"model": compilation.network.key, "versions": versions})  # noqa: E731
    return Respondent(lambda samples, shards: _measured_eagerly(compilation, samples), key)


def both_on_host(compilation: Compilation, bundle: Bundle) -> BothEndpoints:
    """The float network and the artifact of `bundle`, on this host, for other samples than the evaluation set."""
    versions = tool_versions(compilation.request.backend.packages)
    key = lambda: digest_of({"artifact": compilation.lower.key, "versions": versions})  # noqa: E731
    artifact = Respondent(lambda samples, shards: measured_on_host(bundle, samples), key)
    return BothEndpoints(eager_respondent(compilation), artifact, compilation.line)
