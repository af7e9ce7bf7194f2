"""Loading: a project becomes a model. The user's network is read, and runs once on the stated shapes."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from edgekit.datasets import free_lengths
from edgekit.errors import ForwardError, UnstableFactory
from edgekit.frontend import network_examples
from edgekit.frontend.allocator import return_freed_memory
from edgekit.frontend.call_convention import output_axes
from edgekit.frontend.constructs.evidence import evidence_of
from edgekit.frontend.constructs.interfaces import INTERFACES
from edgekit.frontend.determinism import check_deterministic
from edgekit.frontend.error_location import location_of, running
from edgekit.frontend.example_inputs import drawn_examples, sampled_examples
from edgekit.frontend.network_source import read_network
from edgekit.frontend.preprocess import Deployed
from edgekit.frontend.program_size import LARGE_BYTES
from edgekit.frontend.state import check_state
from edgekit.ir.measurement import Array
from edgekit.ir.program import PassRecord
from edgekit.samples import Samples
from edgekit.specs.factory import RAISED, in_a_line, place
from edgekit.specs.project import Project
from edgekit.tasks.class_scores import SUM_TOLERANCE
from edgekit.tasks.registry import number_of, temperature_of

OTHER_FLOATS = (torch.float16, torch.bfloat16, torch.float64)


@dataclass(frozen=True)
class Model:
    """Network with its preprocessing inside, in evaluation mode, and inputs with which it has run."""

    module: Deployed
    project: Project
    examples: tuple[Tensor, ...]
    """Raw inputs with batch 1, in the order of the project's `[inputs]`; then the initial state."""
    history: tuple[PassRecord, ...] = ()
    """Records of what was applied to the network since its factory made it, such as weights and pruning."""
    load_ns: int = 0
    """Time that its factory took, in nanoseconds."""


def load(project: Project) -> Model:
    """Load the project's model.

    Raises LoadError if its factory fails or returns no network, ForwardError if its forward fails, Nondeterministic if
    two calls answer differently.
    """
    started = time.perf_counter_ns()
    network, history = read_network(project)
    load_ns = time.perf_counter_ns() - started
    if sum(parameter.nbytes for parameter in network.parameters()) >= LARGE_BYTES:
        return_freed_memory()
    temperature = number_of(temperature_of(project))
    deployed = Deployed(network, project.inputs, state=project.state, temperature=temperature)
    module, examples = _first_run(deployed.eval(), project)
    if temperature is not None:
        history = (*history, _tempered(module, examples, temperature))
    check_state(project, module, examples)
    check_deterministic(network, lambda: module(*examples), project.root)
    return Model(module, project, examples, history, load_ns)


def load_twice(project: Project) -> tuple[Model, Model]:
    """Load the project's model twice: equal weights. The second has the parameters of the first, and its own buffers.

    A forward may write buffers; parameters, which it reads, may be most of the memory. Raises what `load` does, and
    UnstableFactory if the factory returns other weights the second time.
    """
    first, second = load(project), load(project)
    if weights_digest(first.module) != weights_digest(second.module):
        raise UnstableFactory(
            f"{project.model.source} gives another network each time: are the weights loaded?",
            hint="end it with network.load_state_dict(torch.load(FILE)), strict, and return the network",
        )
    _share_parameters(first.module, second.module)
    return first, second


def _share_parameters(first: nn.Module, second: nn.Module) -> None:
    """Let the parameters of `second` have the memory of those of `first`, which are equal."""
    own = dict(first.named_parameters())
    for name, parameter in second.named_parameters():
        if name in own and own[name].dtype == parameter.dtype:
            parameter.data = own[name].data


def _first_run(module: Deployed, project: Project) -> tuple[Deployed, tuple[Tensor, ...]]:
    """Run `module` once, on drawn inputs. Returns it as `_protected` does, and the inputs.

    Zeros may be nothing that a network takes, such as a mask that leaves nothing over: where they fail, or the answers
    are no numbers, the inputs are those of a calibration sample. Raises ForwardError if it fails on both.
    """
    drawn = drawn_examples(project)
    try:
        protected, results = _protected(module, project, drawn)
    except ForwardError:
        sampled = sampled_examples(project)
        if sampled is None:
            raise
        return _protected(module, project, sampled)[0], sampled
    if all(bool(torch.isfinite(value).all()) for value in pytree.tree_leaves(results) if isinstance(value, Tensor)):
        return protected, drawn
    sampled = sampled_examples(project)
    return (protected, drawn) if sampled is None else (_protected(module, project, sampled)[0], sampled)


def _protected(module: Deployed, project: Project, examples: tuple[Tensor, ...]) -> tuple[Deployed, object]:
    """Run `module` once; if it writes into inputs, return one that copies those first; its results beside it.

    Raises ForwardError if it fails.
    """
    copies = tuple(example.clone() for example in examples)
    try:
        with torch.no_grad():
            results = module(*copies)
    except RAISED as error:
        raise _forward_error(error, module.model, project) from error
    for lengths in tested_lengths(project)[:-1]:
        _check_runs(module, project, examples, lengths)
    # torch counts every write into a tensor, through views too.
    written = [spec.name for spec, copy in zip(project.arguments, copies, strict=True) if copy._version]
    # State goes in and out in the network's own form.
    axes = () if project.state else output_axes(module.model, module.convention, _staged(module, examples), results)
    if not (written or axes):
        return module, results
    return Deployed(module.model, project.inputs, written, axes, project.state, module.temperature).eval(), results


def _check_runs(module: Deployed, project: Project, examples: tuple[Tensor, ...], lengths: Mapping[str, int]) -> None:
    """Raise ForwardError if the network fails at some of the lengths that the project states."""
    try:
        with torch.no_grad():
            module(*examples_at(project, examples, lengths))
    except RAISED as error:
        stated = ", ".join(f"{name} = {length}" for name, length in lengths.items())
        raise ForwardError(
            f"the model's forward failed at {stated}{place(error, project.root)}: {in_a_line(error)}",
            hint="narrow the range under [inputs], or its steps, to the lengths that the network takes",
        ) from error


def _tempered(module: Deployed, examples: tuple[Tensor, ...], temperature: float) -> PassRecord:
    """Record of the temperature in the model. Raises ForwardError if the first output holds probabilities."""
    with torch.no_grad():
        first = pytree.tree_leaves(module(*(example.clone() for example in examples)))[0] * temperature
    adds_up = first.is_floating_point() and bool(((first.sum(-1) - 1).abs() < SUM_TOLERANCE).all())
    if adds_up and bool(((first >= 0) & (first <= 1)).all()):
        raise ForwardError(
            "[task] temperature divides logits, and the network's first output adds up to 1: it holds probabilities",
            hint="return the logits from forward, without softmax at its end",
        )
    return PassRecord("temperature", (("temperature", f"{temperature:g}"),), 0.0, math.inf)


def _staged(module: Deployed, examples: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Examples as the network takes them: preprocessed, batch axis first."""
    with torch.no_grad():
        return tuple(stage(value) for stage, value in zip(module.preprocess, examples, strict=True))


def _forward_error(error: BaseException, network: nn.Module, project: Project) -> ForwardError:
    shapes = ", ".join(
        f"{name} {list(spec.shape)}" for table in (project.inputs, project.state) for name, spec in table.items()
    )
    other = next((value.dtype for value in network.parameters() if value.dtype in OTHER_FLOATS), None)
    hint = "[inputs] states each shape without the batch axis, channels first"
    if project.state:
        hint += "; [state] each whole shape, with a batch axis of 1, and the dtype"
    name, module = running(error.__traceback__, network)
    part = f", in {location_of(name, module)}," if name else ""
    evidence = evidence_of(error, network, project.root)
    construct = next((construct for construct in INTERFACES if construct.recognize(evidence.failure)), None)
    if construct:
        hint = construct.hint(evidence.failure)
    elif other is not None:
        kind = str(other).removeprefix("torch.")
        hint = f"the network's weights are {kind}; edgekit takes float32: return network.float() from the factory"
    return ForwardError(
        f"the model's forward{part} failed on {shapes}{place(error, project.root)}: {in_a_line(error)}", hint=hint
    )


def batches(samples: Samples, project: Project) -> list[tuple[Tensor, ...]]:
    """Single samples as arguments of the model, batch 1 each; for sequences see `frontend.sequences`."""
    if project.lengths:
        return [_tensors(free_lengths.sample(samples.inputs, project.inputs, i)) for i in range(len(samples))]
    columns = [torch.from_numpy(np.ascontiguousarray(samples.inputs[name])) for name in project.inputs]
    return [tuple(column[i : i + 1] for column in columns) for i in range(len(samples))]


def _tensors(sample: Mapping[str, Array]) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in sample.values())


def examples_at(project: Project, examples: tuple[Tensor, ...], lengths: Mapping[str, int]) -> tuple[Tensor, ...]:
    """Example inputs, which have the greatest lengths, cut to `lengths` by name."""
    axes = [free_lengths.free_axes(spec) for spec in project.inputs.values()]
    return network_examples.cut_examples(examples, axes, lengths)


def tested_lengths(project: Project) -> list[dict[str, int]]:
    """Lengths at which a network and its artifacts are compared: the least, one between, the greatest of all names."""
    return network_examples.tested_lengths(project.inputs)


def weights_digest(network: nn.Module) -> str:
    """SHA-256 over the names, dtypes, shapes and bytes of parameters and buffers, in the order of the state dict."""
    sha = hashlib.sha256()
    for name, value in network.state_dict().items():
        if not isinstance(value, Tensor):
            continue
        sha.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        sha.update(value.detach().contiguous().flatten().view(torch.uint8).numpy().data)
    return sha.hexdigest()
