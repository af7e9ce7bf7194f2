"""Request of `edgekit probe`: its options, checked against each other."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from edgekit.api.builds import load_project
from edgekit.api.probes import evaluation_samples
from edgekit.atomic import check_writable
from edgekit.errors import OptionError
from edgekit.measure.device.generation import Prompt
from edgekit.measure.device.throughput import MIN_DURATION_S
from edgekit.measure.user_inputs import input_shapes, read_inputs
from edgekit.pipeline.probe import BUNDLE, Subject
from edgekit.samples import Samples
from edgekit.specs.accelerator import AUTO, AcceleratorChoice
from edgekit.specs.profile import PlanName, Probe
from edgekit.specs.project import Project
from edgekit.specs.robustness import RobustnessMeasure, RobustnessSpec
from edgekit.specs.spec import parse


@dataclass(frozen=True)
class ProbeRequest:
    """Options of `edgekit probe`. Raises OptionError for options that exclude each other or are no values."""

    device: str
    model: Path | None = None
    project: Path | None = None
    example: str | None = None
    samples: int | None = None
    robustness: RobustnessMeasure | None = None
    stop_early: bool = False
    inputs: Path | None = None
    shape: tuple[str, ...] = ()
    runtime: str | None = None
    plan: PlanName = "quick"
    min_count: int | None = None
    min_duration: float | None = None
    """Seconds."""
    processes: int = 3
    threads: int | None = None
    cpus: str | None = None
    cool_down: float = 60.0
    """Seconds, at most."""
    meter: str | None = None
    operators: bool = False
    trace: Path | None = None
    throughput: bool = False
    instances: int | None = None
    generate: int | None = None
    prompt: str | None = None
    prompt_tokens: str | None = None
    accelerator: AcceleratorChoice = AUTO
    out: Path | None = None

    def __post_init__(self) -> None:
        for conflicts, message, hint in CONFLICTS:
            if conflicts(self):
                raise OptionError(message, hint=hint)
        prompt_of(self.generate, self.prompt, self.prompt_tokens)

    def check_files(self) -> None:
        """Raise StorageError if a result could not be written where it is wanted."""
        for file in (self.out, self.trace):
            if file:
                check_writable(file)

    @property
    def latency_plan(self) -> Probe:
        """Plan of a latency run. Raises OptionError or SpecError for a value that makes no sense."""
        optional = {
            "min_count": self.min_count,
            "min_duration_s": self.min_duration,
            "cpus": self._cores,
            "meter": self.meter,
        }
        values = {name: value for name, value in optional.items() if value is not None}
        values |= {"plan": self.plan, "processes": self.processes, "threads": self.threads or 1}
        return parse(Probe, values | {"cool_down_s": self.cool_down}, "the command line")

    @property
    def accuracy_limit_s(self) -> float | None:
        """Seconds that answering may take before samples are left out; None where the user says which samples."""
        return None if self.inputs or self.samples else self.latency_plan.accuracy_limit_s

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the inputs of a bare model file by name, from --shape, else from the arrays of --inputs.

        Raises OptionError for a shape that is none.
        """
        if self.shape:
            return dict(map(_shape, self.shape))
        return input_shapes(self.inputs) if self.inputs and self.model and self.model.suffix != BUNDLE else {}

    @property
    def beginning(self) -> Prompt:
        """Prompt that is continued. Raises OptionError for one that is none."""
        beginning = prompt_of(self.generate, self.prompt, self.prompt_tokens)
        assert beginning
        return beginning

    @property
    def duration_s(self) -> float:
        """Seconds that one combination of a throughput run lasts, at least."""
        return MIN_DURATION_S if self.min_duration is None else self.min_duration

    def choose(self, model: Subject, limit: int | None) -> Samples:
        """Return the samples for `model`, at most `limit` of a project's unless --samples says how many."""
        if self.inputs:
            return read_inputs(self.inputs, model.signature)
        return evaluation_samples(load_project(self.project, example=self.example), model, self.samples or limit)

    @property
    def perturbed(self) -> tuple[Project, RobustnessSpec] | None:
        """Project whose evaluation samples are perturbed, and which perturbations; None without --robustness."""
        if self.robustness is None:
            return None
        return load_project(self.project, example=self.example), RobustnessSpec(measure=self.robustness)

    @property
    def scored(self) -> Project | None:
        """Project whose metric ends the measurement early; None without --stop-early."""
        return load_project(self.project, example=self.example) if self.stop_early else None

    @property
    def _cores(self) -> tuple[int, ...] | None:
        try:
            return tuple(int(core) for core in self.cpus.split(",")) if self.cpus else None
        except ValueError as error:
            raise OptionError(f"--cpus '{self.cpus}' is no list of cores", hint="--cpus 2,3") from error


def prompt_of(count: int | None, text: str | None, tokens: str | None) -> Prompt | None:
    """Prompt of --generate, --prompt and --prompt-tokens; None without --generate. Raises OptionError."""
    if count is not None:
        return Prompt(count, text, token_ids(tokens))
    if text is not None or tokens is not None:
        raise OptionError("--prompt and --prompt-tokens go with --generate", hint="--generate 64")
    return None


def token_ids(text: str | None) -> tuple[int, ...]:
    """Token ids of an option such as `1,403`. Raises OptionError for anything else."""
    if text is None:
        return ()
    if not re.fullmatch(r"\d{1,9}(,\d{1,9})*", text.replace(" ", "")):
        raise OptionError(f"--prompt-tokens '{text}' is no list of token ids", hint="--prompt-tokens 1,403,407")
    return tuple(map(int, text.split(",")))


def _shape(text: str) -> tuple[str, tuple[int, ...]]:
    match = re.fullmatch(r"([^=]+)=(\d{1,9}(?:,\d{1,9})*)", text.replace(" ", ""))
    sizes = tuple(map(int, match[2].split(","))) if match else (0,)
    if match is None or min(sizes) < 1:
        raise OptionError(f"--shape '{text}' is no shape", hint="--shape image=1,3,224,224, the batch of 1 first")
    return match[1], sizes


Conflict = tuple[Callable[[ProbeRequest], object], str, str | None]
"""Test for options that do not go together, the error's message, and its hint."""


def _alone(name: str) -> Conflict:
    """Conflict of an option that only a latency run takes."""
    option = f"--{name.replace('_', '-')}"
    return (
        lambda request: (request.operators or request.throughput) and getattr(request, name) is not None,
        f"{option} goes with neither --operators nor --throughput",
        f"leave out {option}",
    )


GENERATION = (
    "project",
    "example",
    "samples",
    "robustness",
    "inputs",
    "cpus",
    "meter",
    "out",
    "trace",
    "instances",
    "operators",
    "throughput",
    "shape",
)
"""Options that generation does not take."""


def _not_generated(name: str) -> Conflict:
    """Conflict of an option that generation does not take."""
    option = f"--{name}"
    return (
        lambda request: request.generate and getattr(request, name),
        f"{option} does not go with --generate, which continues a prompt",
        f"leave out {option}",
    )


CONFLICTS: tuple[Conflict, ...] = (
    *map(_not_generated, GENERATION),
    (
        lambda request: (
            request.accelerator.name != "auto" and (request.generate or request.operators or request.throughput)
        ),
        "--accelerator goes with none of --generate, --operators and --throughput",
        "leave out --accelerator",
    ),
    (
        lambda request: request.generate and request.model is not None and request.model.suffix != BUNDLE,
        "--generate needs a bundle: a bare model file does not say which of its inputs is the cache",
        "edgekit build makes one, of a project with [state]",
    ),
    (
        lambda request: request.operators and request.throughput,
        "--operators and --throughput are two runs",
        "give one of them",
    ),
    (
        lambda request: (request.trace and not request.operators) or (request.instances and not request.throughput),
        "--trace goes with --operators, --instances with --throughput",
        None,
    ),
    *(_alone(name) for name in ("out", "cpus", "meter", "min_count", "robustness")),
    (
        lambda request: request.throughput and not request.instances and request.threads,
        "--throughput tries every number of threads",
        "--instances N, for one combination",
    ),
    (
        lambda request: request.throughput and request.min_duration is not None and request.min_duration < 1,
        "--throughput lasts a second at least",
        "--min-duration 1",
    ),
    (
        lambda request: request.operators and request.min_duration is not None,
        "--operators traces a number of inferences",
        "leave out --min-duration",
    ),
    (
        lambda request: request.inputs and (request.project or request.example or request.samples),
        "--inputs are the samples: no project's",
        "leave out --project, --example and --samples",
    ),
    (
        lambda request: request.inputs and request.robustness,
        "--robustness perturbs a project's samples, whose inputs it states: none of --inputs",
        "leave out --inputs, or --robustness",
    ),
    (
        lambda request: request.stop_early and request.inputs,
        "--stop-early needs the labels of a project's samples: --inputs has none",
        "leave out --inputs, or --stop-early",
    ),
    (
        lambda request: request.stop_early and (request.operators or request.throughput or request.generate),
        "--stop-early goes with none of --operators, --throughput and --generate, which score no answers",
        "leave out --stop-early",
    ),
    (
        lambda request: request.shape and (request.model is None or request.model.suffix == BUNDLE),
        "--shape is for a bare model file: a bundle states its shapes",
        "leave out --shape",
    ),
)
"""Options of `edgekit probe` that do not go together; the first one that is met is reported."""
