"""Labels that follow a signal: of places in its time, or of its values. What changes these would change the truth."""

from __future__ import annotations

from edgekit.perturb.input_domain import InputDomain
from edgekit.samples import Samples


def labels_follow_time(samples: Samples) -> bool:
    """True if a sample has labels of places along its time: one a step, one a frame, or a signal."""
    if samples.length is not None:
        return samples.labels.ndim > 1 and samples.labels.shape[1] == samples.steps
    return samples.labels.ndim > 2


def labels_follow_values(samples: Samples, domain: InputDomain) -> bool:
    """True if a label is a signal as the input is: of a denoiser, whose answer is on the input's own scale."""
    size = samples.labels.size // max(1, len(samples))
    return samples.labels.dtype.kind == "f" and size > 1 and samples.labels[0].shape == tuple(domain.spec.raw_shape)
