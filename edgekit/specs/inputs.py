"""Inputs of a project's model: names, shapes, dtypes and preprocessing (`[inputs]` in `edgekit.toml`)."""

from __future__ import annotations

from typing import Any

from pydantic import (
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from edgekit.specs.input_checks import CHECKS
from edgekit.specs.input_keys import InputKeys
from edgekit.specs.lengths import FreeSize
from edgekit.specs.picture_steps import Step

LATER: dict[str, Any] = {
    "preprocess_function": None,
    "audio": None,
    "log_mel": None,
    "tokenizer": None,
    "batch_axis": 0,
    "pad": 0.0,
    "mask": None,
    "buckets": {},
    "vocabulary": None,
    "prefill": (),
    "signal": None,
}
"""Keys of an input that came later than the first release, with their defaults."""


class Input(InputKeys):
    """One input of the model, without the batch axis, whose keys go together."""

    @model_validator(mode="after")
    def _together(self) -> Input:
        for check in CHECKS:
            check(self)
        return self

    @model_serializer(mode="wrap")
    def _without_defaults(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out later keys that are not used: cache keys of older projects stay as they were."""
        values: dict[str, Any] = written(self)
        return {key: value for key, value in values.items() if key not in LATER or getattr(self, key) != LATER[key]}

    @property
    def raw_shape(self) -> tuple[int, ...]:
        """The shape of one sample as the data set and the artifact have it: HWC for pixels, [samples] for audio."""
        if self.log_mel:
            return (self.log_mel.samples(self.shape[-1]),)
        if self.preprocess is None:
            return self.shape
        channels, height, width = self.shape
        return (height, width, channels)

    @property
    def steps(self) -> tuple[Step, ...]:
        """Steps that give a picture of any size `raw_shape` (`runner/processing/geometry`); none where it has it."""
        return self.preprocess.steps if self.preprocess else ()

    @property
    def picture_shape(self) -> tuple[int, ...]:
        """Shape in which picture files are read: `raw_shape`, or [0, 0, channels] for any size, before the steps.

        A function takes pictures in colour.
        """
        if self.preprocess_function:
            return (0, 0, 3)
        if not self.steps:
            return self.raw_shape
        return (0, 0, 3 if self.preprocess and self.preprocess.colour else self.shape[0])

    @property
    def sounds(self) -> bool:
        """True if files of samples are recordings."""
        return self.audio is not None or self.log_mel is not None

    @property
    def audio_settings(self) -> dict[str, Any] | None:
        """Settings by which recordings become `raw_shape` (`runner/processing/audio`); None where arrays have it."""
        if self.audio is None:
            return None
        count = self.raw_shape[-1]
        samples = None if isinstance(count, FreeSize) else int(count)
        return self.audio.settings(self.log_mel.rate if self.log_mel else 0, samples, self.raw_dtype)

    @property
    def raw_dtype(self) -> str:
        if self.log_mel:
            return self.log_mel.raw_dtype
        return "uint8" if self.preprocess else self.dtype
