"""State that is carried from step to step: outputs of a model that are its inputs at the next step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from ..errors import RunnerError


class StatePlaces(NamedTuple):
    """Place of one tensor of state among the inputs, and among the outputs."""

    input: int
    output: int
    append: int | None = None
    """Axis of a cache that outputs are written into, one after another; None where an output is the whole state."""


class StatefulCall:
    """A loaded model that is called with the data of one step, and carries its state to the next.

    call: the model, from all inputs to all outputs, arrays of numpy or tensors of torch. It must not write into its
    inputs. places: where its state is. initial: the state before the first step, in the order of `places`. period:
    steps after which the state is initial again, for calls that are repeated over and over; None for never. in_place:
    write into caches, which costs nothing; else each step has a cache of its own, so that arguments can be kept.
    """

    def __init__(
        self,
        call: Callable[[Sequence[Any]], list[Any]],
        places: Sequence[StatePlaces],
        initial: Sequence[Any],
        period: int | None = None,
        in_place: bool = False,
    ) -> None:
        self._call, self._places = call, sorted(places, key=lambda place: place.input)
        self._initial = [initial[list(places).index(place)] for place in self._places]
        self._period, self._in_place = period, in_place
        caches = zip(self._initial, self._places)
        self.capacity = min((value.shape[axis] for value, (_, _, axis) in caches if axis is not None), default=None)
        """Number of entries that the smallest cache holds; None where nothing is appended."""
        self.reset()

    def reset(self) -> None:
        """Begin another sequence: the state is the initial one again."""
        pairs = zip(self._initial, self._places)
        self._state = [value if place.append is None else _copy(value) for value, place in pairs]
        self._count, self.entries = 0, 0

    def arguments(self, data: Sequence[Any]) -> list[Any]:
        """All inputs of the next step: its data, and the state, in the order of the model."""
        arguments = list(data)
        # By ascending place, so that each goes to where it belongs at the end.
        for place, value in zip(self._places, self._state):
            arguments.insert(place.input, value)
        return arguments

    def __call__(self, data: Sequence[Any]) -> list[Any]:
        """Run one step: all outputs of the model, in its order, state among them. Raises RunnerError (data) if a cache
        is full.
        """
        if self._count == self._period:
            self.reset()
        if self.capacity is not None and self.entries >= self.capacity:
            raise RunnerError("data", f"the cache is full: it holds {self.capacity} steps")
        outputs = self._call(self.arguments(data))
        width = 0
        for k, place in enumerate(self._places):
            value = outputs[place.output]
            if place.append is not None:
                width = value.shape[place.append]
                value = self._appended(self._state[k], value, place.append)
            self._state[k] = value
        self._count += 1
        self.entries += width
        return outputs

    def _appended(self, cache: Any, rows: Any, axis: int) -> Any:
        """Write rows into a cache behind those that it has."""
        cache = cache if self._in_place else _copy(cache)
        cache[(slice(None),) * axis + (slice(self.entries, self.entries + rows.shape[axis]),)] = rows
        return cache


def _copy(value: Any) -> Any:
    return value.clone() if hasattr(value, "clone") else value.copy()
