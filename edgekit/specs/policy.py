"""Policy on the terms of data sets (`[policy]` in `edgekit.toml`): what is stated becomes the gate `licences`."""

from __future__ import annotations

from edgekit.specs.spec import Flag, Spec


class Policy(Spec):
    """Terms that the data sets of a project must have."""

    licences: tuple[str, ...] | None = None
    """Licences that are allowed; any if None. Case, spaces and hyphens do not count."""
    personal: Flag | None = None
    """False: every set states `personal = false`."""
    consent: Flag = False
    """True: a set that does not state `personal = false` states its `consent`."""

    @property
    def stated(self) -> bool:
        """True if it asks for anything."""
        return self.licences is not None or self.personal is False or self.consent
