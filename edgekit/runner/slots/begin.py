"""The first question of a flash: is it there already, and if not, what of it must be sent? Standard library only."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Optional

from ..layout import MANIFEST, SIGNATURE
from . import lease
from .lifecycle import answer
from .stage import holds, prepare
from .staging_folder import staging_of
from .state import State, current_of, held, other
from .trust import Trust, key_id
from .verify import allowed

ManifestAndSignature = Optional["tuple[bytes, bytes]"]
"""Manifest and signature, if the question brings them along; None if they were sent to `ROOT/staging/DIGEST`."""


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
    """Flash that bundle alone from now on, unless it is served already: then nothing is held. A host that dies holds
    it for `ttl_s` more.

    Answers the slot that has it, or None; then what is missing beside manifest and signature, or None if those are.
    Raises RunnerError: leased if somebody else flashes, and as `prepare` does.
    """
    staging, signers = staging_of(root, digest), {key_id(key) for key in offered}
    with held(root) as state:
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
