"""The model that a device serves, in an application's own process: another one once another is committed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ..errors import RunnerError
from ..model.tensors import Array
from .committed_model import CommittedModel
from .served_slot import ServedBundle, ServedSlot
from .tensor_metadata import TensorMetadata, stored


class FollowedModel:
    """Model of the slot that `root` serves. Any thread may call it; one inference runs at a time.

    root: the device's folder. threads: those of one inference. Raises RunnerError if nothing is committed there, or
    what is does not load or is not what was signed.
    """

    def __init__(self, root: Path, threads: int = 1) -> None:
        self._slot, self._threads, self._lock = ServedSlot(root), threads, threading.Lock()
        self._slot.look()
        if self._slot.bundle is None:
            raise RunnerError("state", self._slot.why)
        self._model = CommittedModel.load(self._slot.bundle, threads)
        self.refused = ""
        """Reason why what is committed now is not what answers; empty if it is."""

    @property
    def bundle(self) -> ServedBundle:
        """Bundle that answered last, or was opened."""
        return self._model.bundle

    @property
    def inputs(self) -> tuple[TensorMetadata, ...]:
        return self._model.signature.inputs

    def predict(self, given: Mapping[str, Array]) -> dict[str, Array]:
        """Answer by the model that is committed now: arrays [N, …] by name of an input, to arrays [N, …] by output.

        A bundle that cannot be loaded leaves the one before it answering, and its reason in `refused`. Raises
        RunnerError: data for arrays that the model does not take; run if the runtime fails.
        """
        with self._lock:
            self._follow()
            columns = _columns(self._model.signature.inputs, given)
            names = [each.tensor.name for each in self._model.signature.outputs]
            return dict(zip(names, self._model.outputs(columns)))

    def _follow(self) -> None:
        if not self._slot.look():
            return
        if self._slot.bundle is None:
            self.refused = self._slot.why
            return
        try:
            self._model, self.refused = CommittedModel.load(self._slot.bundle, self._threads), ""
        except RunnerError as error:
            self.refused = str(error)


def _columns(inputs: tuple[TensorMetadata, ...], given: Mapping[str, Array]) -> list[Array]:
    """Arrays in the order of the model, as it stores them. Raises RunnerError (data)."""
    takes = ", ".join(f"'{each.tensor.name}' {each}" for each in inputs)
    if set(given) != {each.tensor.name for each in inputs}:
        raise RunnerError("data", f"the model takes each of these: {takes}")
    columns, rows = [], set()
    for each in inputs:
        values = np.asarray(given[each.tensor.name])
        if not np.can_cast(values.dtype, each.dtype, "same_kind") or not each.fits(list(values.shape)):
            raise RunnerError("data", f"'{each.tensor.name}' is {values.dtype}{list(values.shape)}; it takes {takes}")
        rows.add(len(values))
        columns.append(stored(values.astype(each.dtype, copy=False), each.tensor))
    if len(rows) > 1:
        raise RunnerError("data", "all inputs have one batch axis")
    return columns
