"""Reader of a slot's `manifest.json`: the fields that the runner needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from ..errors import RunnerError
from ..files.durable import SENSELESS, read_json
from ..files.integrity import is_plain
from ..layout import MANIFEST
from ..processing.geometry import Step, check_steps
from .accelerator import CPU, Accelerator
from .engine_plan import EnginePlan, read_plan
from .engine_store import engine_of
from .lengths import LengthRange, ModelAxis, parse_axes, parse_lengths

if TYPE_CHECKING:
    from ..processing.array_function import ArrayFunction

NO_PROCESSING: Mapping[str, Any] = MappingProxyType({})
SCHEMAS = (1, 2, 3)
"""Schemas of manifests that this runner reads: 2 has state or free lengths, 3 caches that are appended to."""


class ModelTensor(NamedTuple):
    """One input or output of the model. `shape` includes the batch axis."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    scale: float | None
    zero_point: int
    """Quantization: real = scale * (stored - zero_point). `scale` is None where the values are not quantized."""
    free: tuple[ModelAxis, ...] = ()
    """Axes whose length differs from sample to sample; `shape` has their greatest length."""
    pad: float = 0.0
    """Value of an input beyond its sample, where it is padded to a bucket."""

    def __str__(self) -> str:
        return f"{self.dtype}{list(self.shape)}"


class Processing(NamedTuple):
    """Steps from a picture of any size to an input of the model."""

    steps: list[Step]
    channels: int
    golden: str
    """SHA-256 of what the steps make of the patterns of `processing/golden`."""


class FunctionProcessing(NamedTuple):
    """Function that makes a raw sample an input of the model: `function(raw)`."""

    function: ArrayFunction
    raw: tuple[tuple[int, Path], ...]
    """Raw samples, each with the number of the golden input that the function makes of it."""


class AudioProcessing(NamedTuple):
    """Settings by which a recording becomes an input of the model: `process_audio(settings, pcm)`."""

    settings: Mapping[str, Any]
    golden: str
    """SHA-256 of what the pattern of `processing/audio` becomes."""


class GoldenTexts(NamedTuple):
    """Tokenizer of an input: its file, and the token ids of some texts."""

    file: Path
    golden: Mapping[str, Sequence[int]]


class ModelState(NamedTuple):
    """A tensor of state, by the names of its input and output; `initial` is a file, or None for zeros."""

    input: str
    output: str
    initial: Path | None
    append: int | None = None
    """Axis of a cache that the output is written into; None where the output is the whole state."""


class RunnerManifest(NamedTuple):
    """Model of a slot: its file and options, inputs and outputs, and the tolerance of its golden outputs."""

    format: str
    model: Path
    options: tuple[tuple[str, str], ...]
    inputs: tuple[ModelTensor, ...]
    outputs: tuple[ModelTensor, ...]
    tolerance: float
    plan: EnginePlan | None = None
    engine: Path | None = None
    """Folder of the engine that was built by the plan on this device; None if none was."""
    lengths: tuple[LengthRange, ...] = ()
    """Free lengths of the inputs."""
    processing: Mapping[str, Processing] = NO_PROCESSING
    """Steps by input, where there are any."""
    audio: Mapping[str, AudioProcessing] = NO_PROCESSING
    """Processing of recordings by input, where there is any."""
    functions: Mapping[str, FunctionProcessing] = NO_PROCESSING
    """Functions by input, where there are any."""
    tokenizers: Mapping[str, GoldenTexts] = NO_PROCESSING
    """Tokenizers by input, where there are any."""
    state: tuple[ModelState, ...] = ()
    """State that is carried from step to step; empty for a model of single samples."""
    prefill: tuple[int, ...] = ()
    """Numbers of tokens that a decoder has an entry point for, ascending, beside the one that reads a single token."""
    accelerator: Accelerator | None = None
    """Accelerator that this call asks for; None for what the runtime runs it on by itself."""

    @property
    def sampled(self) -> tuple[ModelTensor, ...]:
        """Inputs that samples give: all but state."""
        names = {pair.input for pair in self.state}
        return tuple(tensor for tensor in self.inputs if tensor.name not in names)

    @property
    def reported(self) -> tuple[ModelTensor, ...]:
        """Outputs that are answers: all but state."""
        names = {pair.output for pair in self.state}
        return tuple(tensor for tensor in self.outputs if tensor.name not in names)


def read_manifest(slot: Path, accelerator: Accelerator | None = None) -> RunnerManifest:
    """Read the manifest of a slot, for a run on `accelerator`.

    Raises RunnerError (data) if it is missing or not whole.
    """
    path = slot / MANIFEST
    written = read_json(path, "data")
    if written is None:
        raise RunnerError("data", f"'{path}' cannot be read: there is no such file")
    try:
        manifest = _parse_manifest(slot, written)
    except SENSELESS as error:
        raise RunnerError("data", f"'{path}' is not a manifest: {type(error).__name__}: {error}") from error
    if accelerator and accelerator.kind == CPU:
        # The plan is one for accelerators.
        return manifest._replace(plan=None, engine=None)
    return manifest._replace(accelerator=accelerator)


def check_no_options(manifest: RunnerManifest) -> None:
    """Raise RunnerError (load) if the manifest has options: the runtime takes none."""
    if manifest.options:
        raise RunnerError("load", f".{manifest.format} takes no options, its manifest has {dict(manifest.options)}")


def _parse_manifest(slot: Path, written: dict[str, Any]) -> RunnerManifest:
    if written.get("schema", SCHEMAS[0]) not in SCHEMAS:
        raise ValueError(f"its schema {written['schema']} is newer than this runner: flash it with a newer edgekit")
    plan, processing = read_plan(slot), written.get("processing", {})
    return RunnerManifest(
        format=written["format"],
        model=slot / _plain_name(written["model"][0]),
        options=tuple((key, value) for key, value in written["options"]),
        inputs=tuple(map(_tensor, written["signature"]["inputs"])),
        outputs=tuple(map(_tensor, written["signature"]["outputs"])),
        tolerance=written["golden"]["tolerance"],
        plan=plan,
        engine=engine_of(slot) if plan else None,
        lengths=parse_lengths(written["signature"].get("lengths", ())),
        processing={
            name: _processing(each) for name, each in processing.items() if not {"function", "audio"} & each.keys()
        },
        audio={name: _audio(each) for name, each in processing.items() if "audio" in each},
        functions={name: _function(slot, each) for name, each in processing.items() if "function" in each},
        tokenizers={name: _tokenizer(slot, each) for name, each in written.get("tokenizers", {}).items()},
        state=tuple(_state(slot, pair) for pair in written["signature"].get("state", ())),
        prefill=tuple(map(int, written["signature"].get("prefill", ()))),
    )


def _processing(written: dict[str, Any]) -> Processing:
    return Processing(check_steps(written["steps"]), int(written["channels"]), str(written["golden"]))


# Functions and audio import numpy, whose threads a process that is yet to be split must not have.
def _audio(written: dict[str, Any]) -> AudioProcessing:
    from ..processing.audio import check_audio

    return AudioProcessing(check_audio(written["audio"]), str(written["golden"]))


def _function(slot: Path, written: dict[str, Any]) -> FunctionProcessing:
    from ..processing.array_function import parse_function

    names = [_plain_name(path.rpartition("/")[2]) for path in written["raw"]]
    raw = [(int(name.split(".")[-2]), slot / "golden" / "raw" / name) for name in names]
    return FunctionProcessing(parse_function(written["function"]), tuple(raw))


def _tokenizer(slot: Path, written: dict[str, Any]) -> GoldenTexts:
    file = slot.joinpath(*map(_plain_name, written["path"].split("/")))
    return GoldenTexts(file, {str(text): list(ids) for text, ids in written["golden"].items()})


def _state(slot: Path, written: dict[str, Any]) -> ModelState:
    initial = written["initial"]
    # One file, in a folder of its own.
    file = None if initial is None else slot.joinpath(*map(_plain_name, initial.split("/", 1)))
    append = written.get("append")
    return ModelState(written["input"], written["output"], file, None if append is None else int(append))


def _tensor(written: dict[str, Any]) -> ModelTensor:
    affine = written["affine"] or {"scale": None, "zero_point": 0}
    return ModelTensor(
        _plain_name(written["name"]),
        written["dtype"],
        tuple(written["shape"]),
        affine["scale"],
        affine["zero_point"],
        parse_axes(written.get("free", ())),
        float(written.get("pad", 0.0)),
    )


def _plain_name(name: str) -> str:
    if not is_plain(name):
        raise ValueError(f"'{name}' is no plain name")
    return name
