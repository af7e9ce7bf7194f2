"""Words for what is done to a sample before it is an input of the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from edgekit.export.contract import ContractInput
from edgekit.runner.processing.geometry import SETTINGS


def preprocessing_words(each: ContractInput) -> tuple[str, ...]:
    """Sentences on an input, in the order of the work."""
    return tuple(_sentences(each))


def _sentences(each: ContractInput) -> Iterator[str]:
    if each.state:
        source = f"the file `{each.initial}`" if each.initial else "zeros"
        yield f"It is state: {source} before the first step, then an output of the step before."
        return
    if each.steps:
        yield "From a picture, uint8 [height, width, channels], of any size:"
        yield from (f"{number}. {step_words(step)}" for number, step in enumerate(each.steps, 1))
    elif each.function:
        yield "From a raw sample, by the function below; it is Python with numpy as `np`."
    elif each.audio:
        stated = ", ".join(f"{key} {value}" for key, value in sorted(each.audio.items()) if value is not None)
        yield f"From a recording, with these settings (docs/preprocessing.md): {stated}."
    if each.tokenizer:
        yield f"Token ids of the tokenizer `{each.tokenizer.file}`, {each.tokenizer.size:,} ids."
    if each.dtype == "uint8" and len(each.shape) == 4 and each.shape[-1] in (1, 3):
        yield "Pixels go in as they are, 0 to 255, [batch, height, width, channels]; what follows is in the model."
    if each.quantization:
        scale, zero = each.quantization.scale, each.quantization.zero_point
        yield f"Integers stand for reals: stored = round(real / {scale!r}) + {zero}, cut to the range of {each.dtype}."
    if each.free:
        yield f"Its length may differ from sample to sample; axis {', '.join(each.free)}. The shape has the greatest."


def step_words(step: Mapping[str, Any]) -> str:
    """Words for one step of the form that `runner/processing/geometry` has."""
    ((name, settings),) = step.items()
    if name not in ("colour", *SETTINGS):
        return f"`{json.dumps(step, sort_keys=True)}` (docs/preprocessing.md)."
    if name == "colour":
        return {"bgr": "Reverse red, green and blue: BGR.", "grey": "Make it grey: luma of ITU-R BT.601."}[settings]
    if name == "crop":
        return f"Crop the middle, {_size(settings)}."
    if name == "pad":
        sides = ", ".join(f"{side} {settings[side]}" for side in ("top", "bottom", "left", "right"))
        return f"Pad with {settings['fill']}: {sides}."
    kernel = f"{settings['kernel']}, {'with' if settings['antialias'] else 'without'} antialiasing"
    if name == "shorter":
        return f"Resize, the shorter side to {settings['length']} and the longer in proportion ({kernel})."
    if name == "letterbox":
        place = "in the corner" if settings["corner"] else "in the middle"
        return f"Resize in proportion to fit {_size(settings)} ({kernel}), {place}, the rest {settings['fill']}."
    return f"Resize to {_size(settings)} ({kernel})."


def _size(settings: Mapping[str, Any]) -> str:
    return f"{settings['height']} high, {settings['width']} wide"
