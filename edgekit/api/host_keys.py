"""Host keys of devices: trust on first use (TOFU), or trust in a fingerprint that the device's owner gives."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.devices.known_hosts import HostKey, KnownHosts
from edgekit.devices.ssh import Ssh
from edgekit.errors import HostKeyChanged


@dataclass(frozen=True)
class HostKeyOffer:
    """Host key that a device shows now, before anybody has vouched for it."""

    url: str
    key: HostKey
    known: tuple[HostKey, ...] = ()
    """Other host keys that are trusted for this device so far."""

    def check(self, fingerprint: str) -> None:
        """Raise HostKeyChanged if the device shows another key than the one of this fingerprint, `SHA256:…`."""
        if fingerprint != self.key.fingerprint:
            raise HostKeyChanged(
                f"{self.url} shows {self.key.fingerprint}, not {fingerprint}", hint="look at the device itself"
            )

    def trust(self, *, replace: bool = False) -> None:
        """Trust the device that shows this key, from now on.

        replace: in place of the known keys. Raises HostKeyChanged if there are any and `replace` is False;
        StorageError.
        """
        KnownHosts.of_user().keep(self.key, replace=replace)


def offered_host_key(url: str) -> HostKeyOffer:
    """Ask a device, by its `ssh://` URL, for its host key. Raises OptionError for another URL, Unreachable."""
    key = Ssh(url).host_key()
    return HostKeyOffer(url, key, tuple(known for known in KnownHosts.of_user().keys(key.name) if known != key))
