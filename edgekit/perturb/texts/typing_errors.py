"""Typing errors: a neighbouring key, two letters swapped, a letter left out.

People leave an error in 1.2 % of their keystrokes on keyboards (Dhakal et al. 2018, 136 million keystrokes), and in
2.3 % on phones (Palin et al. 2019): the first two severities. The others are about twice the one before.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgekit.perturb.draws import Draws
from edgekit.perturb.texts.keyboard import neighbours

RATES = (0.012, 0.023, 0.05, 0.1, 0.2)
"""Share of the letters that are mistyped, by severity; one at least."""


def neighbouring_keys(text: str, severity: int, draws: Draws) -> str:
    """Type the key beside, in place of some letters; letters that QWERTY has not stay."""
    places = [place for place, letter in enumerate(text) if neighbours(letter)]
    return _with(text, places, severity, draws, lambda letter, word: _of(neighbours(letter), word))


def deletions(text: str, severity: int, draws: Draws) -> str:
    """Leave out some letters; a text of one letter stays."""
    places = [place for place, letter in enumerate(text) if letter.isalnum()]
    return _with(text, places[: max(0, len(text) - 1)], severity, draws, lambda letter, word: "")


def swaps(text: str, severity: int, draws: Draws) -> str:
    """Swap some letters with the one behind; no letter is moved twice."""
    pairs = [i for i in range(len(text) - 1) if text[i : i + 2].isalnum() and text[i] != text[i + 1]]
    letters, moved = list(text), set[int]()
    wanted = count(len(text), severity)
    for place in drawn(pairs, len(pairs), draws):
        if wanted and not moved & {place, place + 1}:
            letters[place], letters[place + 1] = letters[place + 1], letters[place]
            moved |= {place, place + 1}
            wanted -= 1
    return "".join(letters)


def count(letters: int, severity: int) -> int:
    """Number of errors in a text of so many letters."""
    return max(1, round(letters * RATES[severity - 1]))


def drawn(places: list[int], number: int, draws: Draws) -> list[int]:
    """Draw so many different places, or all that there are."""
    if not places:
        return []
    order = np.argsort(draws.other("places").words(len(places))[0], kind="stable")
    return [places[int(i)] for i in order[:number]]


def _with(text: str, places: list[int], severity: int, draws: Draws, typed: Callable[[str, int], str]) -> str:
    """Text with `typed(letter, random word)` at places that are drawn."""
    letters = list(text)
    chosen = drawn(places, min(len(places), count(len(text), severity)), draws)
    words = draws.other("typed").words(max(1, len(chosen)))[0]
    for place, word in zip(chosen, words, strict=False):
        letters[place] = typed(letters[place], int(word))
    return "".join(letters)


def _of(choices: str, word: int) -> str:
    return choices[word * len(choices) >> 16]
