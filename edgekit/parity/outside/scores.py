"""Scores by which a sample from outside is told: the lower, the less it is like what the network was trained on."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from edgekit.ir.measurement import Array
from edgekit.specs.outside import OutsideScoreName
from edgekit.tasks.class_scores import ClassScores, Form, log_probabilities, log_sum_exp, logits_of


def outside_scores(scores: ClassScores, form: Form) -> Mapping[OutsideScoreName, Array]:
    """Scores float64 [samples] by name, of samples in their order; of several decisions a sample, their mean.

    `max-softmax`: largest probability (Hendrycks & Gimpel 2017). `max-logit`: largest logit. `energy`: logarithm of the
    sum of the exponentials of the logits, the negative free energy (Liu et al. 2020); where each class is a decision of
    its own, the sum over the classes of log(1 + exp(logit)) (Wang et al. 2021). The last two need logits: probabilities
    no longer tell how large these were.
    """
    logits = logits_of(scores, form)
    named: dict[OutsideScoreName, Array] = {
        "max-softmax": np.exp(log_probabilities(logits, scores.several)).max(axis=1),
    }
    if form == "logits":
        named["max-logit"] = logits.max(axis=1)
        named["energy"] = np.logaddexp(0.0, logits).sum(axis=1) if scores.several else log_sum_exp(logits)
    members, place, counts = np.unique(scores.sample, return_inverse=True, return_counts=True)
    return {name: np.bincount(place, values, len(members)) / counts for name, values in named.items()}
