"""Data card of a bundle, as it is read back."""

from __future__ import annotations

from pydantic import ValidationError

from edgekit.bundle.archive import Bundle
from edgekit.errors import BundleError
from edgekit.parity.data.card import JSON, DataCard
from edgekit.untrusted import json_text

MAX_VALUES = 10_000
"""Most values of a card: a hundred counts of classes in each of three sets, and words."""


def read_card(bundle: Bundle) -> DataCard | None:
    """Read the data card of a bundle; None for one that was packed without. Raises BundleError for what is no card."""
    if JSON not in {file.path for file in bundle.manifest.files}:
        return None
    try:
        return DataCard.model_validate(json_text.loads(bundle.read(JSON).decode(), MAX_VALUES))
    except (ValidationError, ValueError) as error:
        hint = "was it packed by a newer edgekit? update this one"
        raise BundleError(f"'{JSON}' in '{bundle.path}' is no data card that this edgekit reads", hint=hint) from error
