"""Tokenizer of an input of token ids (`tokenizer` of an input in `edgekit.toml`)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer

from edgekit.specs.spec import Flag, Spec, Whole

Text = Annotated[str, Field(max_length=1000)]
Ids = tuple[Annotated[Whole, Field(ge=0)], ...]


class TokenizerSpec(Spec):
    """File that a network's token ids come from. A bundle carries it, and its golden token ids."""

    file: str
    """`tokenizer.json` of the package `tokenizers`, relative to the project."""
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    """Digest that the file must have: a tokenizer that was trained again, or edited, is refused."""
    golden: dict[Text, Ids] = Field(default_factory=dict, max_length=64)
    """Token ids of some texts, special tokens included."""

    truncate: Flag = False
    """True if the end of a text of too many tokens is cut off; special tokens stay."""

    @model_serializer(mode="wrap")
    def _without_default(self, written: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out a later key that is not used: cache keys of older projects stay as they were."""
        values: dict[str, Any] = written(self)
        return values if self.truncate else {key: value for key, value in values.items() if key != "truncate"}

    @field_validator("file")
    @classmethod
    def _json(cls, file: str) -> str:
        if not file.endswith(".json"):
            raise ValueError("expected a 'tokenizer.json'; save another kind as one: tokenizer.save('tokenizer.json')")
        return file
