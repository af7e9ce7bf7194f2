"""`probe`: latency and answers of a model on a device, its operators, its throughput, or a text that it generates."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from edgekit.api.probes import probe_generation, probe_model, probe_operators, probe_throughput
from edgekit.atomic import write
from edgekit.cache import Cache
from edgekit.cli import options
from edgekit.cli.generation_table import show_generation
from edgekit.cli.measurement_table import as_json, as_rows, loss_rows
from edgekit.cli.output import note, print_json, print_table, progress
from edgekit.cli.probe_request import ProbeRequest
from edgekit.ir.plural import counted
from edgekit.measure import store
from edgekit.measure.device.operators import Operators, chrome_trace
from edgekit.measure.device.throughput import Sweep
from edgekit.parity.generation_record import GenerationRecord
from edgekit.pipeline.probe import Probed
from edgekit.specs.accelerator import AcceleratorChoice
from edgekit.specs.profile import PlanName

TOP = 12
"""Operators that are shown in a row of their own."""


def register(app: typer.Typer) -> None:
    app.command("probe")(probe_command)


def probe_command(
    device: options.Device,
    model: Annotated[
        Path | None,
        typer.Argument(metavar="[BUNDLE|FILE]", help="A bundle, .onnx, .tflite or .pte; default: what is served."),
    ] = None,
    project: options.Project = None,
    example: options.Example = None,
    samples: options.Samples = None,
    robustness: options.Robustness = None,
    stop_early: Annotated[
        bool, typer.Option("--stop-early", help="Ask no more samples than tell the metric to within 2 points.")
    ] = False,
    inputs: Annotated[
        Path | None, typer.Option("--inputs", metavar="FILE.npz", help="An array an input, in place of a project's.")
    ] = None,
    shape: Annotated[
        list[str] | None,
        typer.Option("--shape", metavar="NAME=1,3,…", help="Shape of an input that a bare file leaves free."),
    ] = None,
    runtime: options.Runtime = None,
    plan: Annotated[PlanName, typer.Option("--plan", help="How much is timed: 128 and 10 s, up to 10 min.")] = "quick",
    min_count: Annotated[int | None, typer.Option("--min-count", min=1, help="Inferences to time, at least.")] = None,
    min_duration: Annotated[
        float | None, typer.Option("--min-duration", min=0.0, help="Seconds to time, at least.")
    ] = None,
    processes: Annotated[int, typer.Option("--processes", min=1, help="Each loads the model anew.")] = 3,
    threads: Annotated[
        int | None, typer.Option("--threads", min=1, max=256, help="Threads that the runtime may use; default: 1.")
    ] = None,
    cpus: Annotated[str | None, typer.Option("--cpus", metavar="0,1,…", help="Cores that it may run on.")] = None,
    cool_down: Annotated[float, typer.Option("--cool-down", min=0.0, help="Seconds to wait for, at most.")] = 60.0,
    meter: Annotated[str | None, typer.Option("--meter", metavar="NAME", help="A plug-in that reads energy.")] = None,
    by_operator: Annotated[bool, typer.Option("--operators", help="Which operators take the time.")] = False,
    trace: Annotated[
        Path | None, typer.Option("--trace", metavar="FILE.json", help="With --operators: for Chrome and Perfetto.")
    ] = None,
    sustained: Annotated[bool, typer.Option("--throughput", help="Samples a second, several at once.")] = False,
    instances: Annotated[
        int | None, typer.Option("--instances", min=1, help="With --throughput: so many, with --threads each.")
    ] = None,
    generate: options.Generate = None,
    prompt: options.Prompt = None,
    prompt_tokens: options.PromptTokens = None,
    accelerator: options.Accelerator = None,
    accelerator_option: options.AcceleratorOption = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.json", help="Keep the measurement here.")] = None,
    json: options.Json = False,
) -> None:
    """Measure what a device serves, a bundle, or a bare model file, on real samples. Nothing is installed by it."""
    request = ProbeRequest(
        device=device,
        model=model,
        project=project,
        example=example,
        samples=samples,
        robustness=robustness,
        stop_early=stop_early,
        inputs=inputs,
        shape=tuple(shape or ()),
        runtime=runtime,
        plan=plan,
        min_count=min_count,
        min_duration=min_duration,
        processes=processes,
        threads=threads,
        cpus=cpus,
        cool_down=cool_down,
        meter=meter,
        operators=by_operator,
        trace=trace,
        throughput=sustained,
        instances=instances,
        generate=generate,
        prompt=prompt,
        prompt_tokens=prompt_tokens,
        accelerator=AcceleratorChoice.typed(accelerator, accelerator_option, project),
        out=out,
    )
    request.check_files()
    if request.generate:
        show_generation(_generation(request), json)
    elif request.operators:
        _show_operators(_operators(request), request.trace, json)
    elif request.throughput:
        _show_sweep(_throughput(request), json)
    else:
        _show_latency(_latency(request), request.out, json)


def _latency(request: ProbeRequest) -> Probed:
    """Answers and latency, in `processes` processes one after another."""
    plan, limit_s = request.latency_plan, request.accuracy_limit_s
    with progress(f"probe {request.device}") as watch:
        return probe_model(
            request.device,
            request.model,
            samples=request.choose,
            plan=plan,
            runtime=request.runtime,
            shapes=request.shapes,
            limit_s=limit_s,
            cache=Cache.default().made(),
            watch=watch,
            accelerator=request.accelerator,
            perturbed=request.perturbed,
            stop_early=request.scored,
        )


def _operators(request: ProbeRequest) -> Operators:
    """Time of each operator, by the runtime's own trace."""
    with progress(f"probe {request.device}"):
        return probe_operators(
            request.device,
            request.model,
            samples=request.choose,
            threads=request.threads or 1,
            runtime=request.runtime,
            shapes=request.shapes,
        )


def _throughput(request: ProbeRequest) -> Sweep:
    """Samples a second: of one combination of threads and instances, or of all that are worth a try."""
    with progress(f"probe {request.device}") as watch:
        return probe_throughput(
            request.device,
            request.model,
            samples=request.choose,
            threads=request.threads or 1,
            instances=request.instances,
            min_duration_s=request.duration_s,
            runtime=request.runtime,
            shapes=request.shapes,
            watch=watch,
        )


def _generation(request: ProbeRequest) -> GenerationRecord:
    """Text behind a prompt, and the time of its tokens."""
    with progress(f"probe {request.device}") as watch:
        return probe_generation(
            request.device,
            request.model,
            prompt=request.beginning,
            plan=request.latency_plan,
            threads=request.threads,
            runtime=request.runtime,
            watch=watch,
        )


def _show_latency(probed: Probed, out: Path | None, json: bool) -> None:
    if out:
        store.save(probed.measurement, out)
    if json:
        print_json({"schema": 1, "measurement": as_json(probed)})
        return
    print_table(("probe", ""), as_rows(probed))
    if probed.robustness:
        print_table(("perturbation", "answers that stay", "loss, by severity"), loss_rows(probed.robustness))
        note(f"{probed.robustness.samples:,} of {counted(probed.robustness.among, 'sample')} under each condition")


def _show_operators(traced: Operators, trace: Path | None, json: bool) -> None:
    if trace:
        write(trace, chrome_trace(traced).encode())
    if json:
        print_json({"schema": 1, "operators": {**asdict(traced), "fallback": traced.fallback}})
        return
    rows = [
        (row.name, row.kind, row.delegate or "FALLBACK", f"{row.ns / 1e3:,.1f}", f"{row.share:.1%}")
        for row in traced.top(TOP)
    ]
    rest = sum(row.ns for row in traced.rows) - sum(row.ns for row in traced.top(TOP))
    rows.append(("other operators", "", "", f"{rest / 1e3:,.1f}", f"{rest / traced.whole_ns:.1%}"))
    rows.append(("none of them", "", "", f"{traced.others_ns / 1e3:,.1f}", f"{traced.others_ns / traced.whole_ns:.1%}"))
    print_table(("operator", "kind", "run by", "us", "share"), rows)
    note(f"{counted(traced.count, 'inference')} by {traced.runtime}. {traced.note}".strip())


def _show_sweep(swept: Sweep, json: bool) -> None:
    if json:
        best = swept.best
        print_json({"schema": 1, "throughput": [asdict(run) for run in swept.runs], "best": best and asdict(best)})
        return
    rows = [
        (
            str(run.threads),
            str(run.instances),
            str(run.batch),
            f"{run.samples_per_s:,.1f}",
            f"{run.cores:.2f}",
            "unknown" if run.peak_rss_bytes is None else f"{run.peak_rss_bytes / 1e6:,.0f}",
            "best" if run is swept.best else "" if run.validity.valid else f"INVALID: {run.validity.reason}",
        )
        for run in swept.runs
    ]
    print_table(("threads", "instances", "batch", "samples a second", "cores", "MB", ""), rows)
