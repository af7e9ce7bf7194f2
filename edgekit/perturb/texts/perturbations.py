"""Perturbations of texts, as reports show them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from edgekit.perturb.draws import Draws
from edgekit.perturb.input_domain import InputDomain, Kind
from edgekit.perturb.perturbation import Family, Perturbation
from edgekit.perturb.texts import orthography, typing_errors
from edgekit.perturb.texts.retokenization import obstacle, retokenized
from edgekit.samples import Samples

Change = Callable[[str, int, Draws], str]
"""Function of a text, a severity and random numbers of that text: the text that is written in its place."""


@dataclass(frozen=True)
class TextPerturbation:
    """Perturbation of texts, before they are cut into tokens. Empty texts stay empty."""

    name: str
    family: Family
    change: Change
    parameters: str
    kind: Kind = "texts"
    severities: tuple[int, ...] = (1, 2, 3, 4, 5)
    version: int = 1

    def unfit(self, samples: Samples, domain: InputDomain) -> str | None:
        reason = obstacle(samples, domain)
        if reason:
            return reason
        texts = samples.texts[domain.name]
        draws = Draws("unfit", (b"",))
        most = self.severities[-1]
        if not any(text and self.change(text, most, draws) != text for text in texts):
            return "no text of the set has such places"
        return None

    def apply(self, samples: Samples, domain: InputDomain, severity: int, draws: Draws) -> Samples:
        texts = [
            self.change(text, severity, Draws(draws.stream, draws.keys[i : i + 1])) if text else text
            for i, text in enumerate(samples.texts[domain.name])
        ]
        return retokenized(samples, domain, texts)


ERRORS = f"share of letters {typing_errors.RATES}, one at least"
SPACES = f"share of spaces {orthography.SPACE_SHARES} left out, and as many doubled"
PLACES = f"share of places {orthography.SHARES}, one at least"
TEXTS: tuple[Perturbation, ...] = (
    TextPerturbation("neighbouring keys", "natural", typing_errors.neighbouring_keys, f"{ERRORS}, QWERTY"),
    TextPerturbation("swapped letters", "natural", typing_errors.swaps, ERRORS),
    TextPerturbation("letters left out", "natural", typing_errors.deletions, ERRORS),
    TextPerturbation("spaces", "natural", orthography.spaces, SPACES),
    TextPerturbation("capitals", "systematic", orthography.capitals, PLACES),
    TextPerturbation("no capitals", "systematic", orthography.no_capitals, PLACES),
    TextPerturbation("no punctuation", "systematic", orthography.no_punctuation, PLACES),
    TextPerturbation("no accents", "systematic", orthography.no_accents, PLACES),
)
"""Perturbations of texts, in the order in which reports show them."""
