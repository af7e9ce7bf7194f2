"""Small sets of signals, their domains, and conditions by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgekit.perturb.condition import Condition
from edgekit.perturb.draws import sample_keys
from edgekit.perturb.input_domain import InputDomain
from edgekit.perturb.registry import PERTURBATIONS
from edgekit.samples import Samples
from edgekit.specs.inputs import Input

RATE = 16_000


def domain_of(spec: dict[str, Any], task: str = "classification", root: Path = Path()) -> InputDomain:
    return InputDomain("x", Input.model_validate(spec), root, task)


def perturbed(name: str, severity: int, samples: Samples, domain: InputDomain) -> Samples:
    """Apply the perturbation `name`, as the registry does."""
    perturbation = next(each for each in PERTURBATIONS if each.name == name)
    assert perturbation.unfit(samples, domain) is None
    return Condition(perturbation, severity, domain).apply(samples, sample_keys(samples, domain.name, domain.spec))


def unfit(name: str, samples: Samples, domain: InputDomain) -> str | None:
    return next(each for each in PERTURBATIONS if each.name == name).unfit(samples, domain)


def tones(count: int, length: int = 8000, dtype: str = "float32", hertz: float = 440) -> Samples:
    """Tones of one frequency and several levels, [N, 1, T] at 16 kHz."""
    times = np.arange(length) / RATE
    wave = np.sin(2 * np.pi * hertz * times) * np.linspace(0.1, 0.5, count)[:, None]
    wave = np.rint(wave * 32767) if dtype == "int16" else wave
    return Samples({"x": wave[:, None].astype(dtype)}, np.zeros(count, np.int64))
