"""What is emulated for a target."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.errors import OptionError
from edgekit.specs.target import Target

RAM_MB = 1024
"""At most, whatever the board has: more would cost the host, and hide what does not fit on small ones."""


@dataclass(frozen=True)
class EmulatedBoard:
    """A processor core, so much memory, and how the device is reached."""

    target: str
    cpu: str
    ram_mb: int
    transport: str
    root: str

    @classmethod
    def of(cls, target: Target) -> EmulatedBoard:
        """Raises OptionError if the target cannot be emulated."""
        if target.emulation is None:
            raise OptionError(
                f"target '{target.id}' cannot be emulated: its file has no [emulation]", hint="edgekit targets"
            )
        ram_mb = min(target.memory.ram_mb, RAM_MB)
        return cls(target.id, target.emulation.qemu_cpu, ram_mb, target.deploy.transport, target.deploy.root)
