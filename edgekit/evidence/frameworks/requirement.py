"""One requirement of a framework, and the framework that it is of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Requirement:
    """Requirement: which facts answer it, and what a person must answer beside them."""

    number: str
    title: str
    facts: tuple[str, ...]
    """Names of facts (`evidence/facts`); empty where nothing that edgekit measures answers it."""
    question: str
    """Question that is left to a person."""


@dataclass(frozen=True)
class Framework:
    """A framework of governance."""

    file: str
    """Name of the file of its table."""
    title: str
    scope: str
    """Sentence on what the table covers, and what it is not."""
    requirements: tuple[Requirement, ...]
