"""Emulated board of a target: CPU, memory, and the transport that reaches it."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.errors import OptionError
from edgekit.specs.target import Target

RAM_MB = 1024
"""Largest memory of an emulated board: more would cost the host, and hide models that do not fit on small ones."""


@dataclass(frozen=True)
class EmulatedBoard:
    """One CPU core, memory, and the transport that reaches the device."""

    target: str
    cpu: str
    ram_mb: int
    transport: str
    root: str

    @classmethod
    def of(cls, target: Target) -> EmulatedBoard:
        """Board of a target. Raises OptionError if the target cannot be emulated."""
        if target.emulation is None:
            raise OptionError(
                f"target '{target.id}' cannot be emulated: its file has no [emulation]", hint="edgekit targets"
            )
        ram_mb = min(target.memory.ram_mb, RAM_MB)
        return cls(target.id, target.emulation.qemu_cpu, ram_mb, target.deploy.transport, target.deploy.root)
