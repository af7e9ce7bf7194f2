"""Observation of a device after a power cut: what it serves, by two accounts, and which promises that breaks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from edgekit.bundle.archive import Bundle
from edgekit.devices.protocol import HistoryEvent, SelfTest, Status
from edgekit.devices.runner_client import Runner
from edgekit.errors import EdgekitError
from edgekit.runner.layout import MANIFEST, SIGNATURE
from edgekit.runner.slots.state import HISTORY_LIMIT
from scripts.cuts.plan import DROP, GO_BACK
from scripts.cuts.step_recorder import RecordedTransport

LIMIT_S = 120.0
AT_MOST = 8
"""Entries of history that one cut and its recovery add."""
VERDICTS = {"stage": "staged", "trial": "trial", "commit": "committed", DROP: "rolled back", GO_BACK: "rolled back"}
SUMS = (
    "cd {root} && readlink current && sha256sum trust.json && cd current/ && "
    "/bin/busybox find . -type f -exec sha256sum {{}} +"
)


@dataclass(frozen=True)
class Seen:
    """The slot that a program on the device finds by following the link `current`."""

    link: str
    trust: str
    """SHA-256 of `trust.json`."""
    files: Mapping[str, str]
    """Digests of what is served, by path, as `sha256sum` has them."""


@dataclass(frozen=True)
class Observation:
    """Observation of one device at rest."""

    status: Status
    seen: tuple[Seen, ...]
    """Before the runner was asked, and after it if it has moved the link: it ends what was begun."""

    @property
    def served(self) -> str | None:
        """The digest of what is served, as the device says."""
        current = self.status.current
        return self.status.slots[current].digest if current else None


def observe(runner: Runner) -> Observation:
    """Raises what asking a device does."""
    first = _see(runner)
    status = runner.ask(Status, "slots", "status", runner.transport.root, timeout=LIMIT_S)
    return Observation(status, (first,) if first.link == status.current else (first, _see(runner)))


def _see(runner: Runner) -> Seen:
    script = SUMS.format(root=runner.transport.root)
    link, trust, *lines = runner.transport.run(["sh", "-c", script], timeout=LIMIT_S).stdout.splitlines() or ["", ""]
    sums = (line.split(maxsplit=1) for line in lines)
    return Seen(link, trust.partition(" ")[0], {path.removeprefix("./"): digest for digest, path in sums})


def broken(
    before: Observation, after: Observation, runner: Runner, flashed: RecordedTransport, old: Bundle, new: Bundle
) -> Iterator[str]:
    """Each promise that the device did not keep, in words."""
    expected = allowed(flashed, old, new)
    for seen in after.seen:
        if seen.trust != before.seen[-1].trust:
            yield "whom it trusts is not what it was"
        followed = next((bundle for bundle in (old, new) if bundle.digest == seen.files.get(MANIFEST)), None)
        if followed is None or followed.digest not in expected:
            yield f"the link named '{seen.link}', which is not what it may serve"
        elif seen.files != contents(followed):
            changed = sorted({path for path, _ in seen.files.items() ^ contents(followed).items()})
            yield f"what it serves is not whole: {', '.join(changed)}"
    if after.served not in expected or after.seen[-1].link != after.status.current:
        yield f"it says that it serves '{after.served}'"
    if not all(slot.whole for slot in after.status.slots.values() if slot.state == "committed"):
        yield "a committed slot is not whole"
    if after.status.trust != before.status.trust:
        yield "whom it trusts is not what it was"
    news = added(before.status.history, after.status.history)
    if news is None:
        yield "its history lost what it had"
    else:
        told = {event.verdict for event in news if event.digest == new.digest}
        for step, verdict in VERDICTS.items():
            if step in flashed.answered and verdict not in told:
                yield f"it said '{verdict}', and its history does not"
    yield from silent(runner, after)


def allowed(flashed: RecordedTransport, old: Bundle, new: Bundle) -> tuple[str, ...]:
    """Bundles that may be served: a step that was answered counts, one that was only begun may have happened."""
    if "commit" not in flashed.begun or GO_BACK in flashed.answered:
        return (old.digest,)
    if "commit" in flashed.answered and GO_BACK not in flashed.begun:
        return (new.digest,)
    return (old.digest, new.digest)


def contents(bundle: Bundle) -> dict[str, str]:
    """The SHA-256 of every file of a bundle, by path."""
    names = (MANIFEST, SIGNATURE, *(listed.path for listed in bundle.manifest.files))
    return {name: hashlib.sha256(bundle.read(name)).hexdigest() for name in names}


def added(before: tuple[HistoryEvent, ...], after: tuple[HistoryEvent, ...]) -> tuple[HistoryEvent, ...] | None:
    """New events of a history that keeps its last entries only; None if any other is missing."""
    for dropped in range(AT_MOST + 1):
        kept = before[dropped:]
        if after[: len(kept)] == kept and (dropped == 0 or len(after) == HISTORY_LIMIT):
            return after[len(kept) :]
    return None


def silent(runner: Runner, after: Observation) -> Iterator[str]:
    """Yield a fault if the model that is served does not answer as it did where it was built."""
    try:
        slot = after.status.slots[after.status.current or ""].path
        if not runner.ask(SelfTest, "selftest", slot, timeout=LIMIT_S).passed:
            yield "what it serves answers wrongly"
    except (EdgekitError, KeyError) as error:
        yield f"what it serves does not answer: {error}"
