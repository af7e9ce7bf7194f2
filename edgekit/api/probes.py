"""Measurements of one model on a device: answers and latency, time of each operator, throughput."""

from __future__ import annotations

from pathlib import Path

from edgekit.cache import Cache
from edgekit.ir.measurement import Measurement
from edgekit.measure.device.generation import THREADS, Prompt, generate
from edgekit.measure.device.installed_bundle import AT_ONCE
from edgekit.measure.device.model_file import NO_SHAPES, Shapes
from edgekit.measure.device.operators import Operators, operators
from edgekit.measure.device.throughput import MIN_DURATION_S, Sweep, sweep, throughput
from edgekit.measure.shards import shards_in
from edgekit.measure.user_inputs import samples_for
from edgekit.parity.generation_record import GenerationRecord, generation_record
from edgekit.pipeline import probe as pipeline_probe
from edgekit.pipeline.generation import check_prompt
from edgekit.pipeline.probe import Choose, PerturbedSamples, Probed, Subject, subject
from edgekit.pipeline.run import enough
from edgekit.pipeline.stages.stage_runner import StageRunner, Watch, unwatched
from edgekit.samples import Samples, load_samples
from edgekit.specs.accelerator import AUTO, AcceleratorChoice, AcceleratorName
from edgekit.specs.profile import PlanName, Probe
from edgekit.specs.project import Project
from edgekit.specs.robustness import RobustnessSpec
from edgekit.specs.spec import parse
from edgekit.tasks.registry import task_of

TRACE_SAMPLES = 256
"""Samples for a trace of the operators and for throughput, whose answers nobody scores."""


def probe(
    device: str,
    model: Path | str | None = None,
    *,
    samples: Samples | Project,
    plan: PlanName = "quick",
    processes: int = 3,
    threads: int = 1,
    runtime: str | None = None,
    accelerator: AcceleratorName = "auto",
) -> Measurement:
    """Measure what a device serves, a bundle, or a bare model file on it. Nothing is installed by it.

    Args:
        device: a name or URL, as `run` takes it.
        model: a `.edgekit`, `.onnx`, `.tflite` or `.pte` file; by default what is served.
        samples: inputs and labels, or a project whose evaluation set is used.
        plan: how much is timed: `quick` 128 inferences and 10 s, up to `full`, 10 min.
        processes: so many load the model anew, one after another.
        threads: of the runtime.
        runtime: as `run` takes it.
        accelerator: `auto`, `cpu`, `gpu` or `npu`.

    Returns:
        Measurement: outputs by name, float32 or as the model gives them, shape [N, ...]; `latency_ns` int64 [M];
        whether the latency is VALID, and why not.

    Raises:
        EdgekitError: of the device, the file or the samples.

    >>> measured = probe(device, samples=load_samples(project, "evaluation", 32), processes=1)
    >>> len(measured)
    32
    """
    latency_plan = parse(Probe, {"plan": plan, "processes": processes, "threads": threads}, "the arguments")
    file = Path(model) if model else None
    choice = AcceleratorChoice(accelerator)
    return probe_model(
        device, file, samples=samples, plan=latency_plan, runtime=runtime, accelerator=choice
    ).measurement


def probe_model(
    device: str,
    model: Path | None = None,
    *,
    samples: Samples | Project | Choose,
    plan: Probe,
    runtime: str | None = None,
    limit_s: float | None = None,
    cache: Cache | None = None,
    shapes: Shapes = NO_SHAPES,
    watch: Watch = unwatched,
    accelerator: AcceleratorChoice = AUTO,
    perturbed: tuple[Project, RobustnessSpec] | None = None,
    stop_early: Project | None = None,
) -> Probed:
    """Measure answers and latency as `probe` does, by a whole plan; the sampling of the samples is returned beside it.

    Args:
        device, model, runtime: as `probe` takes them.
        samples: as `probe` takes them, or a function that chooses them for the model.
        plan: number of inferences, seconds, processes, threads, cores and meter of the latency.
        limit_s: seconds that answering may take before samples are left out; by default all are answered.
        shapes: shapes of the inputs of a model file that leaves more axes free than its first, by name.
        cache: where answered shards are kept, so that a probe that failed resumes there; by default nowhere.
        watch: called as `probe` with a few words for each shard, if there is a cache.
        accelerator: what runs the model, with options for it.
        perturbed: project whose evaluation samples are perturbed, and which perturbations; needs a cache.
        stop_early: project of the samples, whose metric says when no more need be asked; by default all are.

    Raises:
        EdgekitError: of the device, the file or the samples.
    """
    shards = shards_in(cache, lambda words: watch("probe", words)) if cache else AT_ONCE
    also = PerturbedSamples(*perturbed, StageRunner(cache, watch)) if perturbed and cache else None
    return pipeline_probe.probe(
        device,
        _chooser(samples),
        plan,
        model,
        runtime,
        shards,
        limit_s,
        shapes,
        accelerator,
        also,
        task_of(stop_early) if stop_early else None,
    )


def probe_operators(
    device: str,
    model: Path | None = None,
    *,
    samples: Samples | Project | Choose,
    threads: int = 1,
    runtime: str | None = None,
    shapes: Shapes = NO_SHAPES,
) -> Operators:
    """Measure the time of each operator, by the runtime's own trace in a separate run.

    Args:
        device, model, samples, runtime, shapes: as `probe_model` takes them.
        threads: of the runtime.

    Raises:
        ProbeError: the run fails, or the device is emulated. Else as `probe`.
    """
    with subject(device, model, runtime, shapes) as on_device:
        return operators(on_device.installation, _chooser(samples)(on_device, TRACE_SAMPLES), threads=threads)


def probe_throughput(
    device: str,
    model: Path | None = None,
    *,
    samples: Samples | Project | Choose,
    threads: int = 1,
    instances: int | None = None,
    min_duration_s: float = MIN_DURATION_S,
    runtime: str | None = None,
    shapes: Shapes = NO_SHAPES,
    watch: Watch = unwatched,
) -> Sweep:
    """Measure samples per second: of one combination of threads and instances, or of all that the cores allow.

    Args:
        device, model, samples, runtime, shapes: as `probe_model` takes them.
        threads: of each instance, if `instances` is given.
        instances: processes that are at work at the same time; by default every combination is tried.
        min_duration_s: seconds that one combination lasts, at least.
        watch: called as `throughput` with a few words after each combination of several.

    Raises:
        ProbeError: the run fails, or the device is emulated. Else as `probe`.
    """
    with subject(device, model, runtime, shapes) as on_device:
        chosen = _chooser(samples)(on_device, TRACE_SAMPLES)
        if instances:
            return Sweep((throughput(on_device.installation, chosen, threads, instances, min_duration_s),))
        return sweep(on_device.installation, chosen, min_duration_s, lambda words: watch("throughput", words))


def probe_generation(
    device: str,
    model: Path | None = None,
    *,
    prompt: Prompt,
    plan: Probe,
    threads: int | None = None,
    runtime: str | None = None,
    watch: Watch = unwatched,
) -> GenerationRecord:
    """Continue a prompt by a language model, and measure its first token, its pace and its memory.

    Args:
        device, runtime: as `probe` takes them.
        model: a `.edgekit` file; by default what is served.
        prompt: beginning of the text, and the number of tokens to generate.
        plan: least number of tokens and seconds to time, and processes.
        threads: of the runtime; by default 1, 2 and 4, as far as the device has cores.
        watch: called as `generate` with a few words after each number of threads.

    Raises:
        ProbeError: the model is no decoder, the prompt does not fit, or the run fails. Else as `probe`.
    """
    numbers = THREADS if threads is None else (threads,)
    with subject(device, model, runtime, check=lambda manifest: check_prompt(manifest, prompt)) as on_device:
        told = lambda words: watch("generate", words)  # noqa: E731
        return generation_record(generate(on_device.installation, prompt, plan, numbers, told))


def evaluation_samples(project: Project, model: Subject, limit: int | None = None) -> Samples:
    """Load evaluation samples of a project in the form that `model` takes.

    limit: number of samples, at most; by default as many as a device of its kind answers in reasonable time.
    Raises what `load_samples` and `samples_for` do.
    """
    return samples_for(model.signature, load_samples(project, "evaluation", limit or enough(model.kind)))


def _chooser(samples: Samples | Project | Choose) -> Choose:
    """Choice of the samples for a model, by what the caller has: samples, a project, or a choice of its own."""
    if isinstance(samples, Samples):
        return lambda model, _: samples_for(model.signature, samples)
    if isinstance(samples, Project):
        return lambda model, limit: evaluation_samples(samples, model, limit)
    return samples
