"""Ways of writing: case, spaces, punctuation and accents, as people and their devices leave them out."""

from __future__ import annotations

import re
import unicodedata

from edgekit.perturb.draws import Draws
from edgekit.perturb.texts.typing_errors import drawn

SHARES = (0.1, 0.25, 0.5, 0.75, 1.0)
"""Share of the places where it is done, by severity, one at least: now and then, to always."""
SPACE_SHARES = (0.02, 0.05, 0.1, 0.2, 0.4)
"""Share of the spaces that are left out or doubled; always would leave no words."""


def capitals(text: str, severity: int, draws: Draws) -> str:
    """Write some words in capitals; all of them at the last severity, as with a key that is locked."""
    pieces = re.split(r"(\s+)", text)
    places = [i for i, piece in enumerate(pieces) if piece != piece.upper()]
    for place in _share(places, SHARES[severity - 1], draws):
        pieces[place] = pieces[place].upper()
    return "".join(pieces)


def no_capitals(text: str, severity: int, draws: Draws) -> str:
    """Write some words that have capitals without; all of them at the last severity, as in chats."""
    pieces = re.split(r"(\s+)", text)
    places = [i for i, piece in enumerate(pieces) if piece != piece.lower()]
    for place in _share(places, SHARES[severity - 1], draws):
        pieces[place] = pieces[place].lower()
    return "".join(pieces)


def spaces(text: str, severity: int, draws: Draws) -> str:
    """Leave out some spaces, and double as many others."""
    letters = list(text)
    places = _share([i for i, letter in enumerate(text) if letter == " "], SPACE_SHARES[severity - 1] * 2, draws)
    for turn, place in enumerate(places):
        letters[place] = "" if turn % 2 == 0 else "  "
    return "".join(letters)


def no_punctuation(text: str, severity: int, draws: Draws) -> str:
    """Leave out some marks of punctuation (Unicode's categories P)."""
    letters = list(text)
    places = [i for i, letter in enumerate(text) if unicodedata.category(letter).startswith("P")]
    for place in _share(places, SHARES[severity - 1], draws):
        letters[place] = ""
    return "".join(letters)


def no_accents(text: str, severity: int, draws: Draws) -> str:
    """Write some letters without their accents: é as e, ü as u."""
    letters = list(unicodedata.normalize("NFC", text))
    places = [i for i, letter in enumerate(letters) if plain(letter) != letter]
    for place in _share(places, SHARES[severity - 1], draws):
        letters[place] = plain(letters[place])
    return "".join(letters) if places else text


def plain(letter: str) -> str:
    """Letter without its accents."""
    return "".join(part for part in unicodedata.normalize("NFD", letter) if not unicodedata.combining(part))


def _share(places: list[int], share: float, draws: Draws) -> list[int]:
    return drawn(places, max(1, round(len(places) * share)), draws) if places else []
