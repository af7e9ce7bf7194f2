"""`probe`: how long a model takes on a device, what it answers, and where its time goes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from edgekit.atomic import check_writable, write
from edgekit.cache import Cache
from edgekit.cli import options
from edgekit.cli.measurement_table import as_json, as_rows
from edgekit.cli.output import note, print_json, print_table, progress
from edgekit.errors import OptionError
from edgekit.measure import store
from edgekit.measure.device.operators import Operators, chrome_trace, operators
from edgekit.measure.device.throughput import MIN_DURATION_S, Sweep, sweep, throughput
from edgekit.measure.shards import shards_in
from edgekit.measure.user_inputs import read_inputs, samples_for
from edgekit.pipeline.probe import Subject, probe, subject
from edgekit.pipeline.request import find_project
from edgekit.pipeline.run import enough
from edgekit.samples import Samples, load_samples
from edgekit.specs.profile import PlanName, Probe
from edgekit.specs.spec import parse

TOP = 12
LOOK = 256
"""Samples for a look at operators and throughput, whose answers nobody scores."""


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
    inputs: Annotated[
        Path | None, typer.Option("--inputs", metavar="FILE.npz", help="An array an input, in place of a project's.")
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
    out: Annotated[Path | None, typer.Option("--out", metavar="FILE.json", help="Keep the measurement here.")] = None,
    json: options.Json = False,
) -> None:
    """Measure what a device serves, a bundle, or a bare model file, on real samples. Nothing is installed by it."""
    if by_operator and sustained:
        raise OptionError("--operators and --throughput are two runs", hint="give one of them")
    if (trace and not by_operator) or (instances and not sustained):
        raise OptionError("--trace goes with --operators, --instances with --throughput")
    _check_alone(by_operator or sustained, out=out, cpus=cpus, meter=meter, min_count=min_count)
    if sustained and not instances and threads:
        raise OptionError("--throughput tries every number of threads", hint="--instances N, for one combination")
    if sustained and min_duration is not None and min_duration < 1:
        raise OptionError("--throughput lasts a second at least", hint="--min-duration 1")
    if by_operator and min_duration is not None:
        raise OptionError("--operators traces a number of inferences", hint="leave out --min-duration")
    for file in (out, trace):
        if file:
            check_writable(file)
    if inputs and (project or example or samples):
        raise OptionError("--inputs are the samples: no project's", hint="leave out --project, --example and --samples")

    lasting = MIN_DURATION_S if min_duration is None else min_duration

    def choose(found: Subject, limit: int | None) -> Samples:
        if inputs:
            return read_inputs(inputs, found.signature)
        chosen = find_project(project, example)
        return samples_for(found.signature, load_samples(chosen, "evaluation", samples or limit or enough(found.kind)))

    if by_operator or sustained:
        with progress(f"probe {device}") as watch, subject(device, model, runtime) as found:
            few = choose(found, LOOK)
            if by_operator:
                traced = operators(found.installation, few, threads=threads or 1)
            elif instances:
                swept = Sweep((throughput(found.installation, few, threads or 1, instances, lasting),))
            else:
                swept = sweep(found.installation, few, lasting, tell=lambda words: watch("throughput", words))
        _show_operators(traced, trace, json) if by_operator else _show_sweep(swept, json)
        return
    given = {"min_count": min_count, "min_duration_s": min_duration, "cpus": _cores(cpus), "meter": meter}
    stated = {name: value for name, value in given.items() if value is not None}
    stated |= {"plan": plan, "processes": processes, "threads": threads or 1, "cool_down_s": cool_down}
    wanted = parse(Probe, stated, "the command line")
    with _telling(device) as tell:
        shards = shards_in(Cache.default().made(), tell)
        limit_s = None if inputs or samples else wanted.accuracy_limit_s
        probed = probe(device, choose, wanted, model, runtime, shards, limit_s)
    if out:
        store.save(probed.measurement, out)
    if json:
        print_json({"schema": 1, "measurement": as_json(probed)})
        return
    print_table(("probe", ""), as_rows(probed))


def _check_alone(other: bool, **given: object) -> None:
    """Raise OptionError for an option of a latency run, given with another run."""
    for name, value in given.items():
        if other and value is not None:
            option = f"--{name.replace('_', '-')}"
            raise OptionError(f"{option} goes with neither --operators nor --throughput", hint=f"leave out {option}")


@contextmanager
def _telling(device: str) -> Iterator[Any]:
    with progress(f"probe {device}") as watch:
        yield lambda words: watch("probe", words)


def _cores(cpus: str | None) -> tuple[int, ...] | None:
    try:
        return tuple(int(core) for core in cpus.split(",")) if cpus else None
    except ValueError as error:
        raise OptionError(f"--cpus '{cpus}' is no list of cores", hint="--cpus 2,3") from error


def _show_operators(found: Operators, trace: Path | None, json: bool) -> None:
    if trace:
        write(trace, chrome_trace(found).encode())
    if json:
        print_json({"schema": 1, "operators": {**asdict(found), "fallback": found.fallback}})
        return
    rows = [
        (row.name, row.kind, row.delegate or "FALLBACK", f"{row.ns / 1e3:,.1f}", f"{row.share:.1%}")
        for row in found.top(TOP)
    ]
    rest = sum(row.ns for row in found.rows) - sum(row.ns for row in found.top(TOP))
    rows.append(("other operators", "", "", f"{rest / 1e3:,.1f}", f"{rest / found.whole_ns:.1%}"))
    rows.append(("none of them", "", "", f"{found.others_ns / 1e3:,.1f}", f"{found.others_ns / found.whole_ns:.1%}"))
    print_table(("operator", "kind", "run by", "us", "share"), rows)
    note(f"{found.count} inferences by {found.runtime}. {found.note}".strip())


def _show_sweep(found: Sweep, json: bool) -> None:
    if json:
        best = found.best
        print_json({"schema": 1, "throughput": [asdict(run) for run in found.runs], "best": best and asdict(best)})
        return
    rows = [
        (
            str(run.threads),
            str(run.instances),
            str(run.batch),
            f"{run.samples_per_s:,.1f}",
            f"{run.cores:.2f}",
            "unknown" if run.peak_rss_bytes is None else f"{run.peak_rss_bytes / 1e6:,.0f}",
            "best" if run is found.best else "" if run.validity.valid else f"INVALID: {run.validity.reason}",
        )
        for run in found.runs
    ]
    print_table(("threads", "instances", "batch", "samples a second", "cores", "MB", ""), rows)
