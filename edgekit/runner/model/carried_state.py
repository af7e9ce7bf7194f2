"""State that is carried from step to step: outputs of a model that are its inputs at the next step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class StatePlaces(NamedTuple):
    """Place of one tensor of state among the inputs, and among the outputs."""

    input: int
    output: int


class StatefulCall:
    """A loaded model that is called with the data of one step, and carries its state to the next.

    call: the model, from all inputs to all outputs, arrays of numpy or tensors of torch. It must not write into its
    inputs. places: where its state is. initial: the state before the first step, in the order of `places`. period:
    steps after which the state is initial again, for calls that are repeated over and over; None for never.
    """

    def __init__(
        self,
        call: Callable[[Sequence[Any]], list[Any]],
        places: Sequence[StatePlaces],
        initial: Sequence[Any],
        period: int | None = None,
    ) -> None:
        self._call, self._places = call, sorted(places)
        self._initial = [initial[list(places).index(place)] for place in self._places]
        self._period = period
        self.reset()

    def reset(self) -> None:
        """Begin another sequence: the state is the initial one again."""
        self._state, self._count = list(self._initial), 0

    def arguments(self, data: Sequence[Any]) -> list[Any]:
        """All inputs of the next step: its data, and the state, in the order of the model."""
        arguments = list(data)
        # By ascending place, so that each goes to where it belongs at the end.
        for place, value in zip(self._places, self._state):
            arguments.insert(place.input, value)
        return arguments

    def __call__(self, data: Sequence[Any]) -> list[Any]:
        """Run one step: all outputs of the model, in its order, state among them."""
        if self._count == self._period:
            self.reset()
        outputs = self._call(self.arguments(data))
        self._state = [outputs[place.output] for place in self._places]
        self._count += 1
        return outputs
