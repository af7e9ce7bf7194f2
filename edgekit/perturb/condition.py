"""Condition under which both endpoints are asked again: one perturbation, at one severity, of one input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgekit.cache import digest_of
from edgekit.perturb.draws import Draws
from edgekit.perturb.input_domain import InputDomain
from edgekit.perturb.perturbation import Perturbation
from edgekit.samples import Samples


@dataclass(frozen=True)
class Condition:
    """One perturbation at one severity, of one input: a condition under which both endpoints are asked again."""

    perturbation: Perturbation
    severity: int
    domain: InputDomain

    @property
    def name(self) -> str:
        """Name of its set: the perturbation's, the severity's number, and the input's."""
        return f"{self.perturbation.name} {self.severity} of {self.domain.name}"

    @property
    def identity(self) -> str:
        """Text that changes with what it does to a sample."""
        made = self.perturbation
        return digest_of([self.name, made.version, made.parameters, self.domain.identity])

    @property
    def source(self) -> str:
        """Digest of what its samples are made of beside their inputs, such as files; empty for nothing."""
        return str(getattr(self.perturbation, "source", ""))

    def apply(self, samples: Samples, keys: Sequence[bytes]) -> Samples:
        """Perturb samples with these keys (`draws.sample_keys`)."""
        stream = f"{self.perturbation.name} {self.severity} v{self.perturbation.version}"
        return self.perturbation.apply(samples, self.domain, self.severity, Draws(stream, keys))
