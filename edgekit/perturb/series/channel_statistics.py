"""Statistics of the channels of a set of series: mean, standard deviation, and range, over all steps of all samples."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.perturb.signal_layout import SignalLayout


@dataclass(frozen=True)
class ChannelStatistics:
    """Statistics by channel, float64 [C] each."""

    means: Array
    deviations: Array
    """Standard deviations; 0 for a channel of one value."""
    least: Array
    most: Array

    @classmethod
    def of(cls, layout: SignalLayout) -> ChannelStatistics:
        """Statistics of the channels; sums are exact, so that they have the same bits on every machine."""
        signals = [layout.signal(i) for i in range(len(layout))]
        channels = np.concatenate(signals, axis=1) if signals else np.zeros((0, 0))
        count = max(1, channels.shape[1])
        means = np.array([math.fsum(channel.tolist()) / count for channel in channels])
        squares = [np.square(channel - mean).tolist() for channel, mean in zip(channels, means, strict=True)]
        deviations = np.sqrt([math.fsum(each) / count for each in squares])
        least, most = (channels.min(axis=1), channels.max(axis=1)) if channels.size else (means, means)
        constant = least == most
        return cls(np.where(constant, least, means), np.where(constant, 0.0, deviations), least, most)
