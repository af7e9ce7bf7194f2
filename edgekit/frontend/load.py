"""Loading: a project becomes a model. The user's factory is called, and the network runs once on the stated shapes."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np
import torch
from torch import Tensor, nn

from edgekit.datasets import ragged
from edgekit.errors import ForwardError, LoadError, UnstableFactory
from edgekit.frontend.call_convention import output_axes
from edgekit.frontend.determinism import check_deterministic
from edgekit.frontend.preprocess import Deployed
from edgekit.ir.measurement import Array
from edgekit.ir.program import PassRecord
from edgekit.samples import Samples
from edgekit.specs.factory import RAISED, in_a_line, place, resolve
from edgekit.specs.project import Project

OTHER_FLOATS = (torch.float16, torch.bfloat16, torch.float64)
PYTHON = "return the nn.Module as it was before torch.jit.script or torch.jit.trace, with its state dict loaded"


@dataclass(frozen=True)
class Model:
    """Network with its preprocessing inside, in evaluation mode, and inputs with which it has run."""

    module: Deployed
    project: Project
    examples: tuple[Tensor, ...]
    """Raw inputs with batch 1, in the order of the project's `[inputs]`."""
    history: tuple[PassRecord, ...] = ()
    """Records of the passes applied to the network since its factory made it, such as pruning."""
    load_ns: int = 0
    """Time that its factory took, in nanoseconds."""


def load(project: Project) -> Model:
    """Load the project's model.

    Raises LoadError if its factory fails or returns no network, ForwardError if its forward fails, Nondeterministic if
    two calls answer differently.
    """
    started = time.perf_counter_ns()
    network = _network(_make(project), project)
    load_ns = time.perf_counter_ns() - started
    examples = _examples(project)
    module = _protected(Deployed(network, project.inputs).eval(), project, examples)
    check_deterministic(network, lambda: module(*examples), project.root)
    return Model(module, project, examples, load_ns=load_ns)


def load_twice(project: Project) -> tuple[Model, Model]:
    """Load the project's model twice: equal weights, no shared tensors.

    Raises what `load` does, and UnstableFactory if the factory returns other weights the second time.
    """
    first, second = load(project), load(project)
    if weights_digest(first.module) != weights_digest(second.module):
        raise UnstableFactory(
            f"factory '{project.model.factory}' gives another network each time: are the weights loaded?",
            hint="end it with network.load_state_dict(torch.load(FILE)), strict, and return the network",
        )
    return first, second


def _network(made: object, project: Project) -> nn.Module:
    """Network that the factory returned. Raises LoadError if it is none, or cannot be exported."""
    factory = f"factory '{project.model.factory}' returned"
    if isinstance(made, torch.jit.ScriptModule | torch.jit.ScriptFunction):
        raise LoadError(f"{factory} TorchScript, which torch.export cannot trace", hint=PYTHON)
    if isinstance(made, Mapping):
        raise LoadError(
            f"{factory} {type(made).__name__}, not a torch.nn.Module",
            hint="of a state dict make the network first: network.load_state_dict(STATE), then return network",
        )
    if not isinstance(made, nn.Module):
        raise LoadError(
            f"{factory} {type(made).__name__}, not a torch.nn.Module",
            hint="[model] factory must name a function that takes nothing and returns the trained network",
        )
    scripted = [name for name, part in made.named_modules() if isinstance(part, torch.jit.ScriptModule)]
    if scripted:
        raise LoadError(f"module '{scripted[0]}' is TorchScript, which torch.export cannot trace", hint=PYTHON)
    return made


def _protected(module: Deployed, project: Project, examples: tuple[Tensor, ...]) -> Deployed:
    """Run `module` once; if it writes into inputs, return one that copies those first.

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
    written = [name for name, copy in zip(project.inputs, copies, strict=True) if copy._version]
    axes = output_axes(module.model, module.convention, _staged(module, examples), results)
    return Deployed(module.model, project.inputs, written, axes).eval() if written or axes else module


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


def _staged(module: Deployed, examples: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """Examples as the network takes them: preprocessed, batch axis first."""
    with torch.no_grad():
        return tuple(stage(value) for stage, value in zip(module.preprocess, examples, strict=True))


def _forward_error(error: BaseException, network: nn.Module, project: Project) -> ForwardError:
    shapes = ", ".join(f"{name} {list(spec.shape)}" for name, spec in project.inputs.items())
    other = next((value.dtype for value in network.parameters() if value.dtype in OTHER_FLOATS), None)
    hint = "[inputs] states each shape without the batch axis, channels first"
    if other is not None:
        kind = str(other).removeprefix("torch.")
        hint = f"the network's weights are {kind}; edgekit takes float32: return network.float() from the factory"
    return ForwardError(
        f"the model's forward failed on {shapes}{place(error, project.root)}: {in_a_line(error)}", hint=hint
    )


def _make(project: Project) -> object:
    factory = resolve(project.model.factory, project.root)
    if isinstance(factory, nn.Module):
        return factory
    if not callable(factory):
        return factory
    try:
        return factory()
    except RAISED as error:
        raise LoadError(
            f"factory '{project.model.factory}' failed{place(error, project.root)}: {in_a_line(error)}",
            hint=_alone(project),
        ) from error


def _alone(project: Project) -> str:
    file, _, name = project.model.factory.partition(":")
    module = ".".join(PurePosixPath(file).with_suffix("").parts)
    return f"try it alone: cd '{project.root}' && python -c 'from {module} import {name}; {name}()'"


def _examples(project: Project) -> tuple[Tensor, ...]:
    random = np.random.default_rng(0)
    arrays = []
    masks = {spec.mask for spec in project.inputs.values()}
    for name, spec in project.inputs.items():
        shape = (1, *spec.raw_shape)
        # Zeros for plain integers: they are indices, and 0 is the one index every table has.
        pixels = random.integers(0, 256, shape) if spec.preprocess else random.random(shape)
        values = np.zeros(shape) if spec.dtype in ("int32", "int64", "bool") or name in masks else pixels
        arrays.append(torch.from_numpy((values + 1 if name in masks else values).astype(spec.raw_dtype)))
    return tuple(arrays)


def batches(samples: Samples, project: Project) -> list[tuple[Tensor, ...]]:
    """Samples as arguments of the model, batch 1 each."""
    if project.lengths:
        return [_tensors(ragged.sample(samples.inputs, project.inputs, i)) for i in range(len(samples))]
    columns = [torch.from_numpy(np.ascontiguousarray(samples.inputs[name])) for name in project.inputs]
    return [tuple(column[i : i + 1] for column in columns) for i in range(len(samples))]


def _tensors(sample: Mapping[str, Array]) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(np.ascontiguousarray(array)) for array in sample.values())


def examples_at(project: Project, examples: tuple[Tensor, ...], lengths: Mapping[str, int]) -> tuple[Tensor, ...]:
    """Example inputs, which have the greatest lengths, cut to `lengths` by name."""
    cut = []
    for spec, example in zip(project.inputs.values(), examples, strict=True):
        axes = {1 + axis: lengths[size.length.name] for axis, size in ragged.free_axes(spec).items()}
        cut.append(example[tuple(slice(axes.get(axis)) for axis in range(example.ndim))].clone())
    return tuple(cut)


def tested_lengths(project: Project) -> list[dict[str, int]]:
    """Lengths at which a network and its artifacts are compared: the least, one between, the greatest of all names."""
    lengths = project.lengths
    places = [[each.all[0] for each in lengths], [each.all[len(each.all) // 2] for each in lengths]]
    places += [[each.most for each in lengths]]
    return [dict(zip((each.name for each in lengths), sizes, strict=True)) for sizes in places] if lengths else []


def weights_digest(network: nn.Module) -> str:
    """SHA-256 over the names, dtypes, shapes and bytes of parameters and buffers, in the order of the state dict."""
    sha = hashlib.sha256()
    for name, value in network.state_dict().items():
        if not isinstance(value, Tensor):
            continue
        sha.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        sha.update(value.detach().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
