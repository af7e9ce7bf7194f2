"""Check that a float artifact answers as the float network does: where it does not, something else was built."""

from __future__ import annotations

import numpy as np

from edgekit.errors import FloatDisagreement
from edgekit.ir.measurement import Array, Measurement
from edgekit.ir.sqnr import FLOAT_DB, sqnr_db
from edgekit.specs.profile import Profile

HINT = "report it, with the model; or try another --backend"


def check_float_parity(profile: Profile, reference: Measurement, candidate: Measurement) -> None:
    """Raise FloatDisagreement if half of the samples are below 60 dB, where the profile changes nothing.

    Half, because a network that compares values with a threshold may answer a few samples otherwise on the last bit.
    Outputs that are no real numbers are left to the gates.
    """
    if profile.compresses:
        return
    for name, expected in reference.outputs.items():
        answered = candidate.outputs.get(name)
        if answered is None or expected.dtype.kind != "f":
            continue
        quality = _median_db(expected, answered)
        if quality < FLOAT_DB:
            raise FloatDisagreement(
                f"output '{name}' of the float file is {quality:.1f} dB from the float network's, at least "
                f"{FLOAT_DB:.0f} dB was expected; nothing was quantized",
                hint=HINT,
            )


def _median_db(expected: Array, answered: Array) -> float:
    """Median SQNR of the samples with finite answers, in dB; infinite if there are none."""
    qualities = [sqnr_db(one, other) for one, other in zip(expected, answered, strict=True)]
    finite = [quality for quality in qualities if not np.isnan(quality)]
    return float(np.median(finite)) if finite else np.inf
