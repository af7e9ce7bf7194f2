"""Host keys that a device offers, and those that are trusted in the end."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from edgekit.api.host_keys import HostKeyOffer
from edgekit.devices.known_hosts import HostKey, KnownHosts
from edgekit.errors import HostKeyChanged

KEY = HostKey("kitchen", "ssh-ed25519", "AAAA")


@pytest.fixture(autouse=True)
def _own_hosts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDGEKIT_CONFIG", str(tmp_path / "config"))


def test_only_the_offered_fingerprint_is_right() -> None:
    offer = HostKeyOffer("ssh://kitchen", KEY)
    offer.check(KEY.fingerprint)
    with pytest.raises(HostKeyChanged, match=f"ssh://kitchen shows {KEY.fingerprint}, not SHA256:other"):
        offer.check("SHA256:other")
    assert KnownHosts.of_user().all() == ()


def test_another_key_is_trusted_only_in_place_of_the_known_one() -> None:
    HostKeyOffer("ssh://kitchen", KEY).trust()
    other = HostKeyOffer("ssh://kitchen", replace(KEY, text="BBBB"), known=(KEY,))
    with pytest.raises(HostKeyChanged, match="another host key of 'kitchen' is known"):
        other.trust()
    assert KnownHosts.of_user().all() == (KEY,)
    other.trust(replace=True)
    assert KnownHosts.of_user().all() == (other.key,)
