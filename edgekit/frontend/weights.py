"""Weights of a project: a state dict, `.safetensors` or torch.save, loaded strictly into the factory's network."""

from __future__ import annotations

import logging
import time
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeGuard

import torch
from torch import Tensor, nn

from edgekit.errors import ModelFileError, UnsafePickle, WeightsMismatch
from edgekit.frontend.program_size import LARGE_BYTES
from edgekit.ir.program import PassRecord
from edgekit.specs.factory import in_a_line
from edgekit.specs.model_files import EXPORT

LOG = logging.getLogger("edgekit.frontend")
State = Mapping[str, Tensor]
COUNTERS = ".num_batches_tracked"
"""Ending of a counter that batch norm needs in training alone; files older than torch 0.4 lack it."""
PREFIXES = ("module.", "model.", "_orig_mod.", "net.", "network.")
"""Prefixes by DataParallel, Lightning, torch.compile and common wrappers."""
SHOWN = 3


def load_weights(network: nn.Module, path: Path, stated: str, key: str | None = None) -> PassRecord:
    """Load the state dict in `path` into `network`, in place, and return a record of what was adapted.

    stated: path as the project has it. key: key of the state dict inside the file, where it holds several. Names and
    shapes must be the network's; a prefix that all names have is taken off, half precision becomes the network's.
    Raises ModelFileError, UnsafePickle, WeightsMismatch.
    """
    started = time.perf_counter()
    states = _states(_read(path, stated), stated, key)
    where, state, prefix = _fitting(states, network, stated)
    _check_shapes(state, network, stated)
    options = (("file", stated), ("key", where), ("prefix", prefix), ("dtype", _converted(state, network)))
    shared = _share_mapped(state, network) if sum(value.nbytes for value in state.values()) >= LARGE_BYTES else set()
    others = {name: value for name, value in state.items() if name not in shared}
    network.load_state_dict(others, strict=False)  # the names were compared: tied ones may be absent
    record = PassRecord(
        "load weights", tuple(pair for pair in options if pair[1]), time.perf_counter() - started, float("inf")
    )
    LOG.info("weights %s", ", ".join(f"{name} {value}" for name, value in record.options))
    return record


def _share_mapped(state: State, network: nn.Module) -> set[str]:
    """Let parameters have the memory of the state dict, which is the file's pages, in place. Returns their names.

    Left out are those of another dtype, and of modules that load in a way of their own. Writes stay in this process.
    """
    shared = set()
    for path, module in network.named_modules():
        if type(module)._load_from_state_dict is not nn.Module._load_from_state_dict:
            continue
        if module._load_state_dict_pre_hooks:
            continue
        for name, parameter in module.named_parameters(path, recurse=False):
            value = state.get(name)
            if value is not None and value.dtype == parameter.dtype and value.is_contiguous():
                parameter.data = value
                shared.add(name)
    return shared


def _read(path: Path, stated: str) -> object:
    with path.open("rb"):  # through Python, so that the file is a part of the cache's keys
        pass
    # Both map the file into memory: its pages are the weights, and are read as they are needed.
    if path.suffix.lower() == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise ModelFileError(f"'{stated}' cannot be read: {in_a_line(error)}", hint="copy it again") from error
    try:
        # A legacy file, of before torch 1.6, is no zip, and cannot be mapped.
        return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except Exception as error:  # of the unpickler, the zip reader or the rebuilding of tensors
        if "weights_only" in str(error) or "Unsupported" in str(error):
            raise UnsafePickle(f"'{stated}' holds more than tensors", hint=EXPORT.format(path=stated)) from error
        raise ModelFileError(f"'{stated}' cannot be read: {in_a_line(error)}", hint="copy it again") from error


def _states(content: object, stated: str, key: str | None) -> dict[str, State]:
    """State dicts in a checkpoint by their keys; "" for the checkpoint itself."""
    states: dict[str, State]
    if _is_state(content):
        states = {"": content}
    elif isinstance(content, Mapping):
        states = {str(name): value for name, value in content.items() if _is_state(value)}
    else:
        states = {}
    if not states:
        kind = f"a dict of {', '.join(map(str, list(content)[:8]))}" if isinstance(content, Mapping) else "no dict"
        raise WeightsMismatch(
            f"'{stated}' holds no state dict: it is {kind}", hint="torch.save(network.state_dict(), FILE)"
        )
    if key is None:
        return states
    if key not in states:
        raise WeightsMismatch(
            f"'{stated}' has no state dict '{key}'",
            hint=f"weights_key is one of: {', '.join(filter(None, states)) or 'none'}",
        )
    return {key: states[key]}


def _is_state(content: object) -> TypeGuard[State]:
    """True for a dict that holds tensors by name, apart from what some layers keep beside them."""
    if not isinstance(content, Mapping) or not content:
        return False
    tensors = [isinstance(value, Tensor) for value in content.values()]
    return all(isinstance(name, str) for name in content) and sum(tensors) > len(tensors) / 2


def _fitting(states: Mapping[str, State], network: nn.Module, stated: str) -> tuple[str, State, str]:
    """State dict that has the network's names: its key, itself without the prefix, and that prefix.

    Raises WeightsMismatch if none has, or several have.
    """
    adapted = {key: _without_prefix(_tensors(state), network) for key, state in states.items()}
    fitting = [key for key, (state, _) in adapted.items() if not any(_differences(state, network))]
    if len(fitting) > 1:
        raise WeightsMismatch(
            f"'{stated}' holds several state dicts that fit: {', '.join(fitting)}",
            hint=f'state the one you evaluated, in [model]: weights_key = "{fitting[0]}"',
        )
    if fitting:
        state, prefix = adapted[fitting[0]]
        return fitting[0], state, prefix
    key = min(adapted, key=lambda each: sum(map(len, _differences(adapted[each][0], network))))
    missing, unexpected = _differences(adapted[key][0], network)
    place = f"'{stated}'" + (f", key '{key}'," if key else "")
    parts = [f"lacks {quoted(missing)}"] if missing else []
    parts += [f"has {quoted(unexpected)} that the network lacks"] if unexpected else []
    raise WeightsMismatch(
        f"{place} is not the state dict of the factory's network: it {' and '.join(parts)}",
        hint="build the network as it was trained: the same width, depth, heads and names",
    )


def _tensors(state: State) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if isinstance(value, Tensor)}


def _without_prefix(state: State, network: nn.Module) -> tuple[State, str]:
    """State dict under the network's names, and the prefix taken off (`-module.`) or put before (`+model.`)."""
    if not any(_differences(state, network)):
        return state, ""
    first = next(iter(state)).partition(".")[0] + "."
    for prefix in dict.fromkeys((*PREFIXES, first)):
        if all(name.startswith(prefix) for name in state):
            stripped, other = _without_prefix(
                {name.removeprefix(prefix): each for name, each in state.items()}, network
            )
            if not any(_differences(stripped, network)):
                return stripped, f"-{prefix}{other}"
    own = next(iter(network.state_dict()), "").partition(".")[0] + "."
    wrapped = {own + name: value for name, value in state.items()}
    return (wrapped, f"+{own}") if not any(_differences(wrapped, network)) else (state, "")


def _differences(state: State, network: nn.Module) -> tuple[list[str], list[str]]:
    """Names that the state dict lacks, but for tied tensors and counters, and names that the network lacks."""
    own = {name: value for name, value in network.state_dict().items() if isinstance(value, Tensor)}
    loaded = {value.data_ptr() for name, value in own.items() if name in state and value.numel()}
    absent = [name for name in own if name not in state and not name.endswith(COUNTERS)]
    return [name for name in absent if own[name].data_ptr() not in loaded], [name for name in state if name not in own]


def _check_shapes(state: State, network: nn.Module, stated: str) -> None:
    own = network.state_dict()
    wrong = [
        f"'{name}' {list(value.shape)}, the network's is {list(own[name].shape)}"
        for name, value in state.items()
        if value.shape != own[name].shape
    ]
    if wrong:
        more = f"; {len(wrong) - SHOWN} more differ" if len(wrong) > SHOWN else ""
        raise WeightsMismatch(
            f"'{stated}' has other shapes than the factory's network: {'; '.join(wrong[:SHOWN])}{more}",
            hint="build the network as it was trained: the same width and number of classes",
        )
    integers = [
        name for name, value in state.items() if own[name].is_floating_point() and not value.is_floating_point()
    ]
    if integers:
        raise WeightsMismatch(
            f"'{stated}' has integers ({state[integers[0]].dtype}) where the network has floats: {quoted(integers)}",
            hint="give the weights as they were before quantization: edgekit quantizes",
        )


def _converted(state: State, network: nn.Module) -> str:
    """Conversion of dtypes for the record, such as `float16 to float32`; "" if there is none."""
    own = network.state_dict()
    pairs = {(value.dtype, own[name].dtype) for name, value in state.items() if value.dtype != own[name].dtype}
    texts = (f"{old} to {new}".replace("torch.", "") for old, new in sorted(pairs, key=str))
    return ", ".join(texts)


def quoted(names: Iterable[str]) -> str:
    """First names in quotes, and the number of the others."""
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(f"'{name}'" for name in every[:SHOWN]) + more
