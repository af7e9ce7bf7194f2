"""Accelerators as the functions of the API take them: a name, or a name with options."""

from __future__ import annotations

from edgekit.specs.accelerator import AcceleratorChoice, AcceleratorName

Accelerated = AcceleratorName | AcceleratorChoice
"""`auto`, `cpu`, `gpu`, `npu`, or one of them with options for its kind."""


def choice_of(accelerator: Accelerated) -> AcceleratorChoice:
    """Choice for a name. Raises OptionError for an unknown one."""
    return accelerator if isinstance(accelerator, AcceleratorChoice) else AcceleratorChoice(accelerator)
