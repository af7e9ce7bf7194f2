"""Registry of perturbations: which there are for the inputs of a project, and the perturbed sets that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cache

from edgekit.cache import digest_of
from edgekit.errors import Misfit
from edgekit.perturb.condition import Condition
from edgekit.perturb.draws import sample_keys
from edgekit.perturb.input_domain import InputDomain
from edgekit.perturb.perturbation import FAMILIES, Family, Perturbation
from edgekit.perturb.picture_files import PictureFiles
from edgekit.perturb.pictures.corruptions import CORRUPTIONS
from edgekit.perturb.pictures.file_perturbation import on_files
from edgekit.perturb.pictures.shifts import SHIFTS
from edgekit.perturb.pictures.systematic import SYSTEMATIC
from edgekit.perturb.recordings.perturbations import RECORDINGS
from edgekit.perturb.series.perturbations import SERIES, SPECTROGRAMS
from edgekit.perturb.texts.perturbations import TEXTS
from edgekit.sample_sets import SampleSet
from edgekit.samples import Samples

PERTURBATIONS: tuple[Perturbation, ...] = (
    *CORRUPTIONS,
    *SYSTEMATIC,
    *SHIFTS,
    *RECORDINGS,
    *SPECTROGRAMS,
    *TEXTS,
    *SERIES,
)
"""All perturbations, in the order in which reports show them."""


@dataclass(frozen=True)
class PerturbationPlan:
    """Perturbations that fit a project's inputs, and those that do not, with the reasons."""

    fitting: tuple[Condition, ...]
    unfit: tuple[tuple[str, str], ...] = ()
    """Names of perturbations that cannot be applied, each with the reason."""

    @property
    def digest(self) -> str:
        """SHA-256 over names, severities, versions and parameters of all of them."""
        return digest_of([condition.identity for condition in self.fitting])

    def of(self, family: Family) -> tuple[Condition, ...]:
        return tuple(each for each in self.fitting if each.perturbation.family == family)

    def on_files(self, files: PictureFiles) -> PerturbationPlan:
        """Plan in which what happens to files happens to these, in the place of the model's pixels."""
        return replace(self, fitting=tuple(on_files(each, files) for each in self.fitting))

    def among(self, samples: Samples) -> PerturbationPlan:
        """Plan of those that fit these samples, too, which are a part of the set: it may hold silence or no accents.

        Raises Misfit where none of them does.
        """
        pairs = {(each.perturbation.name, each.domain.name): each for each in self.fitting}
        reasons = {pair: each.perturbation.unfit(samples, each.domain) for pair, each in pairs.items()}
        among = f"among the {len(samples):,} that are perturbed"
        unfit = [(name, f"{why}, {among}") for (name, _), why in reasons.items() if why is not None]
        fitting = tuple(each for each in self.fitting if reasons[each.perturbation.name, each.domain.name] is None)
        if not fitting:
            raise Misfit(
                f"no perturbation fits: '{unfit[0][0]}': {unfit[0][1]}",
                hint="perturb more of them: --set profile.robustness.samples=N",
            )
        return PerturbationPlan(fitting, (*self.unfit, *unfit))

    def sets(self, samples: Samples) -> tuple[SampleSet, ...]:
        """Perturbed sets of `samples`, one a condition, by its name."""
        specs = {condition.domain.name: condition.domain.spec for condition in self.fitting}
        keys = cache(lambda name: sample_keys(samples, name, specs[name]))
        # Texts that differ may have the same token ids, and no longer where they are changed.
        digest = digest_of([samples.digest, dict(samples.texts)]) if samples.texts else samples.digest

        def maker(condition: Condition) -> Callable[[], Samples]:
            return lambda: condition.apply(samples, keys(condition.domain.name))

        return tuple(
            SampleSet(
                condition.name,
                maker(condition),
                digest_of([condition.identity, digest, *([condition.source] if condition.source else [])]),
            )
            for condition in self.fitting
        )


def perturbation_plan(
    samples: Samples,
    domains: Iterable[InputDomain],
    families: Sequence[Family] = FAMILIES,
    among: Sequence[Perturbation] | None = None,
) -> PerturbationPlan:
    """Collect what can be done to `samples`.

    among: perturbations to choose from; by default all. Raises Misfit where nothing of these families fits, with what
    does.
    """
    domains, among = tuple(domains), PERTURBATIONS if among is None else among
    pairs = [
        (each, domain, each.unfit(samples, domain)) for each in among for domain in domains if each.kind == domain.kind
    ]
    chosen = [(each, domain, why) for each, domain, why in pairs if each.family in families]
    fitting = tuple(
        Condition(each, severity, domain) for each, domain, why in chosen if why is None for severity in each.severities
    )
    if not fitting:
        raise _nothing_fits(domains, families, pairs)
    return PerturbationPlan(fitting, tuple((each.name, why) for each, _, why in chosen if why is not None))


def _nothing_fits(
    domains: Sequence[InputDomain],
    families: Sequence[Family],
    pairs: Sequence[tuple[Perturbation, InputDomain, str | None]],
) -> Misfit:
    """Error that says of each input what it is taken for, and what there is for it."""
    there = sorted({each.family for each, _, why in pairs if why is None})
    inputs = ", ".join(f"'{domain.name}' holds {domain.kind or 'arrays of no stated kind'}" for domain in domains)
    reason = next((f": {why}" for each, _, why in pairs if why and each.family in families), "")
    unknown = next((domain.name for domain in domains if domain.kind is None), None)
    none = "perturbations are of pictures, recordings, texts and series (docs/robustness.md): leave --robustness out"
    if unknown and not there:
        none = (
            f"say what it holds: signal = 'series' or 'recordings' under [inputs.{unknown}]; or leave --robustness out"
        )
    return Misfit(
        f"no perturbation of the kind {' or '.join(families)} fits this model: {inputs}{reason}",
        hint=f"--robustness {there[0]}" if there else none,
    )
