"""Begin a flash: find the bundle in the slots, else take the lease and list the files to send.

Standard library only.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from ..layout import MANIFEST, SIGNATURE
from . import lease
from .lifecycle import answer
from .stage import holds, prepare
from .staging_folder import staging_of
from .state import State, current_of, locked_state, other
from .trust import Trust, key_id
from .verify import allowed

ManifestAndSignature = Optional["tuple[bytes, bytes]"]
"""Bytes of manifest and signature, sent as arguments; None if they were pushed to `ROOT/staging/DIGEST`."""


def begin(
    root: Path,
    digest: str,
    token: str,
    who: str,
    brought: ManifestAndSignature,
    offered: Sequence[bytes],
    stand_in: bool,
    ttl_s: float = lease.TTL_S,
) -> State:
    """Take the lease for a flash of that bundle, unless it is served already: then no lease is needed.

    token: the lease's. who: its holder, for people. ttl_s: seconds that the lease of a dead host lasts.
    offered: public keys, for a device that trusts nobody yet. stand_in: takes bundles of any machine.
    Answers `slot`, which has the bundle already, or None; `missing`, the files to send beside manifest and signature,
    or None if those are missing. Raises RunnerError: leased if another host flashes, and as `prepare` does.
    """
    staging, signers = staging_of(root, digest), {key_id(key) for key in offered}
    with locked_state(root) as state:
        lease.check(root, token)
        current = current_of(root)
        slots = (current, other(current)) if current else ("a",)
        slot = next((name for name in slots if holds(root, state, name, digest, signers)), None)
        if slot:
            allowed(root / slot, digest, Trust.of(root), offered, stand_in)
        if slot is None or slot != current:
            lease.take(root, token, who, ttl_s)
        if slot:
            return {**answer(root, slot, state, changed=False), "missing": []}
    nowhere = {"slot": None, "state": None}
    if brought is None and not (staging / MANIFEST).exists():
        return {**nowhere, "missing": None}
    staging.mkdir(parents=True, exist_ok=True)
    for name, content in zip((MANIFEST, SIGNATURE), brought or ()):
        (staging / name).write_bytes(content)
    return {**nowhere, "missing": prepare(root, digest, token, offered, stand_in)["missing"]}
