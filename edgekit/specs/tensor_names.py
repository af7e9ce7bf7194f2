"""Names of tensors: of a model's inputs, outputs and states. They name files, too."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator


def _edge(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][\w.-]*", name):
        raise ValueError(
            f"'{name}' cannot name a tensor: it names files too, so letters, digits, '_', '.' and '-' only"
        )
    return name


def _input(name: str) -> str:
    if name == "labels":
        raise ValueError("an input cannot be named 'labels': the labels of the samples are")
    return _edge(name)


Edge = Annotated[str, AfterValidator(_edge)]
InputEdge = Annotated[str, AfterValidator(_input)]
