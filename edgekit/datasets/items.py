"""Items of a data set: read, and checked against what `[inputs]` states."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from edgekit.datasets import MapStyle, free_lengths
from edgekit.errors import DataError, EdgekitError
from edgekit.ir.measurement import Array
from edgekit.sequences import SEQUENCE
from edgekit.specs.factory import RAISED, in_a_line
from edgekit.specs.inputs import Input

STATED = (
    "[inputs] states one sample without a batch axis; where it is preprocessed, samples are uint8 [height, width, "
    "channels]"
)


def named_inputs(values: Any, inputs: Mapping[str, Input], where: str) -> Mapping[str, Any]:
    """Arrays of a sample by input name. Raises DataError, which `where` begins, unless all are there and no other."""
    named = free_lengths.masked(values if isinstance(values, Mapping) else {next(iter(inputs)): values}, inputs)
    if set(named) != set(inputs):
        raise DataError(f"{where} has inputs {sorted(named)}, the project states {sorted(inputs)}", hint=STATED)
    return named


def read_items(
    source: MapStyle, chosen: Sequence[int], where: str, labelled: bool = True
) -> Iterator[tuple[int, tuple[Any, Any]]]:
    """Number, input and label of each chosen item; the label of one without ground truth is None.

    Raises DataError, which `where` begins, for an item that the data set cannot give.
    """
    for i in chosen:
        try:
            values, label = _item(source[i], labelled)
        except EdgekitError:
            raise
        except RAISED as error:
            form = "(input, label)" if labelled else "the input"
            raise DataError(
                f"the {where}: sample {i} cannot be read: {in_a_line(error)}",
                hint=f"a data set's [i] gives {form}; try it alone in Python",
            ) from error
        yield i, (values, label)


def _item(item: Any, labelled: bool) -> tuple[Any, Any]:
    """Input and label of an item. One without ground truth may be the input alone."""
    if labelled or isinstance(item, tuple):
        values, label = item
        return values, label
    return item, None


def checked(array: Array, spec: Input, where: str, timed: bool = False) -> Array:
    """Check an array of one sample; timed: of a sequence, with steps first. Raises DataError, which `where` begins."""
    if not (array.shape[1:] == spec.raw_shape if timed and array.ndim else free_lengths.fits(array, spec)):
        axes = ", ".join([*(["steps"] if timed else []), *map(str, spec.raw_shape)])
        hint = SEQUENCE if timed else STATED
        raise DataError(f"{where} has shape {list(array.shape)}, the project states [{axes}]", hint=hint)
    if array.dtype != np.dtype(spec.raw_dtype):
        hint = f"give it so, .astype('{spec.raw_dtype}'), or state what it is under [inputs]"
        if spec.preprocess:
            hint = STATED
        raise DataError(f"{where} is {array.dtype}, the project states {spec.raw_dtype}", hint=hint)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError(f"{where} holds NaN or infinite values", hint="repair that sample, or leave it out")
    free_lengths.check_vocabulary(array, spec, where)
    return array
