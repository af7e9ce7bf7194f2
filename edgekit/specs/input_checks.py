"""Checks of an input's keys that have to go together. Each raises ValueError, or LengthSyntax, with what to change."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.specs.input_keys import InputKeys
from edgekit.specs.lengths import FreeSize, LengthSyntax, checked_buckets, free_lengths


def check_pixels(spec: InputKeys) -> None:
    """Check pixels: dtype, shape, batch axis, and as many values as channels."""
    if spec.preprocess is None:
        return
    if spec.dtype != "float32":
        raise ValueError("preprocessing gives float32: leave 'dtype' out")
    if len(spec.shape) != 3:
        raise ValueError("preprocessing of 'uint8 NHWC' needs a shape of [channels, height, width]")
    if spec.batch_axis != 0:
        raise ValueError("pixels of 'uint8 NHWC' have their batch axis first: leave 'batch_axis' out")
    for name in ("mean", "std"):
        if len(getattr(spec.preprocess, name)) not in (1, spec.shape[0]):
            count = f"1 or {spec.shape[0]} values, one a channel"
            raise ValueError(
                f"'{name}' needs {'1 value, as the input has one channel' if spec.shape[0] == 1 else count}"
            )
    channels = {"BGR": 3, "grey": 1}.get(spec.preprocess.colour or "", spec.shape[0])
    if channels != spec.shape[0]:
        raise ValueError(f"'{spec.preprocess.colour}' has {channels} channels, 'shape' states {spec.shape[0]}")
    if spec.preprocess.steps and spec.shape[0] not in (1, 3):
        raise ValueError(f"steps of 'preprocess' take pictures of 1 or 3 channels, 'shape' states {spec.shape[0]}")
    spec.preprocess.check_size(*spec.shape[1:])


def check_log_mel(spec: InputKeys) -> None:
    """Check a spectrogram that the artifact makes."""
    if spec.log_mel is None:
        return
    if spec.preprocess:
        raise ValueError("an input has 'preprocess' or 'log_mel', not both")
    if spec.dtype != "float32":
        raise ValueError("'log_mel' gives float32: leave 'dtype' out")
    spec.log_mel.check_shape(spec.shape)


def check_audio(spec: InputKeys) -> None:
    """Check recordings: their shape and their rate."""
    if spec.audio is None:
        return
    if spec.preprocess or spec.preprocess_function:
        raise ValueError("an input has 'preprocess' or 'audio', not both")
    if spec.log_mel is None and (spec.dtype != "float32" or any(size != 1 for size in spec.shape[:-1])):
        raise ValueError("'audio' gives float32 [samples] or [1, samples], or feeds 'log_mel'")
    if spec.batch_axis != 0:
        raise ValueError("'audio' has its batch axis first: leave 'batch_axis' out")
    stated = spec.log_mel.rate if spec.log_mel else None
    if not (spec.audio.rate or stated):
        raise ValueError("'audio' needs the 'rate' that the network takes, in samples a second")
    if stated and spec.audio.rate not in (None, stated):
        raise ValueError(f"'audio' states the rate {spec.audio.rate}, 'log_mel' {stated}")
    if spec.audio.fit != "exact" and any(isinstance(size, FreeSize) for size in spec.shape):
        raise ValueError("recordings of any length need no 'fit': leave it out of 'audio'")


def check_token_ids(spec: InputKeys) -> None:
    """Check the dtype of token ids."""
    if spec.tokenizer and spec.dtype not in ("int32", "int64"):
        raise ValueError("'tokenizer' goes with token ids: dtype = 'int64' or 'int32'")


def check_lengths(spec: InputKeys) -> None:
    """Check free lengths: their buckets, mask, padding and vocabulary."""
    lengths = free_lengths({"": spec.shape})
    for name, buckets in spec.buckets.items():
        if name not in lengths:
            raise LengthSyntax(f"'{name}' is no free length of the input", hint=f"it has: {', '.join(lengths)}")
        if buckets:
            checked_buckets(lengths[name], buckets)
    if spec.mask and not lengths:
        raise LengthSyntax("a mask tells padding apart, and the shape has no free length", hint="leave 'mask' out")
    if np.asarray(spec.pad).astype(spec.dtype) != spec.pad:
        raise LengthSyntax(f"{spec.dtype} cannot hold the padding {spec.pad:g}", hint="pad = 0")
    if spec.vocabulary and np.dtype(spec.dtype).kind not in "iu":
        raise LengthSyntax(f"a vocabulary is of integers, the input is {spec.dtype}", hint='dtype = "int64"')


def check_prefill(spec: InputKeys) -> None:
    """Check the chunks that a decoder reads at once."""
    if not spec.prefill:
        return
    if spec.shape != (1,) or spec.dtype not in ("int32", "int64") or isinstance(spec.shape[0], FreeSize):
        raise ValueError("'prefill' is of a decoder's tokens: shape = [1], and dtype = 'int64' or 'int32'")
    if spec.batch_axis != 0:
        raise ValueError("with 'prefill' a network takes tokens [1, count]: leave 'batch_axis' out")
    if list(spec.prefill) != sorted(set(spec.prefill)):
        raise ValueError("the numbers of 'prefill' ascend: prefill = [16, 64]")


def check_signal(spec: InputKeys) -> None:
    """Check a statement of the signal beside the other keys."""
    if spec.signal is None:
        return
    keys = ("preprocess", "audio", "log_mel", "tokenizer")
    key = next((key for key in keys if getattr(spec, key) is not None), None)
    if key:
        raise ValueError(f"'{key}' tells already what the input holds: leave 'signal' out")
    if spec.signal.rate and spec.signal.kind != "recordings":
        raise ValueError(f"'rate' is of recordings, 'signal' states {spec.signal.kind}")
    if spec.signal.time is not None and spec.signal.time >= len(spec.shape):
        raise ValueError(f"the axis 'time' {spec.signal.time} is beyond a shape of {len(spec.shape)} axes")


def check_batch_axis(spec: InputKeys) -> None:
    """Check the place of the batch axis."""
    if spec.batch_axis != "none" and spec.batch_axis > len(spec.shape):
        raise ValueError(f"'batch_axis' {spec.batch_axis} is beyond a shape of {len(spec.shape)} axes")


CHECKS: tuple[Callable[[InputKeys], None], ...] = (
    check_pixels,
    check_log_mel,
    check_audio,
    check_token_ids,
    check_lengths,
    check_prefill,
    check_signal,
    check_batch_axis,
)
"""Checks in the order in which they are made; the first that fails is told."""
