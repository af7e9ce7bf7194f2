"""Processing of raw samples to the inputs of an artifact, on this machine, by the code that devices have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgekit.datasets.recordings import EMPTY, SoundRecording
from edgekit.datasets.tokenizer import Tokenizer, token_ids
from edgekit.errors import DataError, SampleUnfit
from edgekit.ir.measurement import Array
from edgekit.ir.plural import counted
from edgekit.runner.errors import RunnerError
from edgekit.runner.processing.array_function import parse_function
from edgekit.runner.processing.audio import process_audio
from edgekit.runner.processing.steps import process
from edgekit.specs.array_functions import read_function
from edgekit.specs.audio import Audio
from edgekit.specs.inputs import Input
from edgekit.specs.project import Project

Processor = Callable[[Any, str], Array]
"""Function of a raw sample, and of the words that name it in errors. Raises DataError for one that it cannot take."""
AUDIO = "recordings are [samples] or [samples, channels], of any rate that is stated (docs/preprocessing.md)"
FIT = "to cut it, or to fill it up with silence: audio = { fit = 'start' }"
STEPS = "with steps in [inputs] preprocess, samples are pictures of any size, uint8 [height, width, channels]"


def processors(project: Project, tokenizers: Mapping[str, Tokenizer]) -> dict[str, Processor]:
    """Processor of every input, by name. Raises SpecError for a function that cannot be read."""
    return {name: _processor(name, spec, project, tokenizers.get(name)) for name, spec in project.inputs.items()}


def _processor(name: str, spec: Input, project: Project, tokenizer: Tokenizer | None) -> Processor:
    if tokenizer:
        return lambda raw, where: _tokenized(raw, name, spec, tokenizer, where)
    if spec.preprocess_function:
        return _function(spec, read_function(spec.preprocess_function, project.root))
    if spec.sounds:
        return lambda raw, where: _sounded(raw, spec, where)
    if spec.steps:
        return lambda raw, where: _stepped(np.asarray(raw), spec, where)
    return lambda raw, where: np.asarray(raw)


def _function(spec: Input, source: str) -> Processor:
    function, stated = parse_function(source), spec.preprocess_function

    def processed(raw: Any, where: str) -> Array:
        try:
            result: Array = function(np.asarray(raw))
        except RunnerError as error:
            raise SampleUnfit(f"{where}: '{stated}' fails: {error}", hint=f"lines are those of:\n{source}") from error
        if result.dtype != np.dtype(spec.raw_dtype):
            raise DataError(
                f"{where}: '{stated}' gives {result.dtype}, the project states {spec.raw_dtype}",
                hint=f"end it by .astype(np.{spec.raw_dtype})",
            )
        return result

    return processed


def _tokenized(raw: Any, name: str, spec: Input, tokenizer: Tokenizer, where: str) -> Array:
    """Token ids of a text; an array is of token ids already."""
    text = as_text(raw)
    return np.asarray(raw) if text is None else token_ids(text, name, spec, tokenizer, where)


def as_text(raw: Any) -> str | None:
    """Text of a raw sample; None if it is no text."""
    array = np.asarray(raw)
    return str(array) if not array.ndim and array.dtype.kind == "U" else None


def _sounded(raw: Any, spec: Input, where: str) -> Array:
    """Make a recording, or an array of samples, what the artifact takes. Raises SampleUnfit for what cannot be."""
    settings, rate = spec.audio_settings, raw.rate if isinstance(raw, SoundRecording) else None
    if settings is None and rate is None:
        return np.asarray(raw)
    if settings is None:
        assert spec.log_mel  # as it sounds
        settings = Audio().settings(spec.log_mel.rate, int(spec.raw_shape[-1]), spec.raw_dtype)
        if rate != settings["rate"]:
            raise SampleUnfit(
                f"{where} has {rate} samples a second, the network takes {settings['rate']}",
                hint=f"to resample it: audio = {{ from = {rate} }} beside log_mel",
            )
    try:
        wave = process_audio(settings, np.asarray(raw), rate)
    except RunnerError as error:
        hint = FIT if "samples at the rate" in str(error) else EMPTY if "no sound" in str(error) else AUDIO
        raise SampleUnfit(f"{where}: {error}", hint=hint) from error
    return wave.reshape(*(1 for _ in spec.raw_shape[:-1]), -1)


def _stepped(array: Array, spec: Input, where: str) -> Array:
    """Apply the steps of `[inputs]`. Raises SampleUnfit for what they cannot take."""
    channels = spec.picture_shape[-1]
    if array.ndim == 3 and array.shape[-1] != channels:
        raise SampleUnfit(f"{where} has {counted(array.shape[-1], 'channel')}, its steps take {channels}", hint=STEPS)
    try:
        return process(spec.steps, array)
    except RunnerError as error:
        raise SampleUnfit(f"{where}: {error}", hint=STEPS) from error


def smallest(raw: Mapping[int, Array], count: int) -> dict[int, Array]:
    """The `count` raw samples of the fewest bytes, by their place among the samples."""
    return {i: raw[i] for i in sorted(sorted(raw, key=lambda i: (raw[i].nbytes, i))[:count])}
