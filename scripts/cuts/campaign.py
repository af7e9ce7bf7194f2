"""`scripts/chaos --damage N`: one file of a device is damaged between two steps of a flash, again and again."""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from queue import Empty, SimpleQueue
from typing import Any

from edgekit.bundle.archive import Bundle, pack
from edgekit.bundle.manifest import ManifestContent
from edgekit.bundle.signing import PublicKey, SigningKey
from edgekit.devices.flash import commit, flash, rollback, serving, status, trust
from edgekit.devices.local import Local
from edgekit.devices.protocol import Status
from edgekit.devices.repair import repair
from edgekit.devices.transport import Completed
from edgekit.errors import EdgekitError
from edgekit.runner.layout import MANIFEST
from scripts.cuts.bundles import built
from scripts.cuts.damage import FILES, Damage, plan
from scripts.cuts.observation import contents
from scripts.cuts.plan import DROP, GO_BACK

ENDS = (DROP, "commit", GO_BACK)


class Hurt(Local):
    """This machine as a device, one file of which is damaged before the n-th time that it is spoken to."""

    def __init__(self, url: str, damage: Damage | None = None, last: int = 0) -> None:
        super().__init__(url)
        self.__dict__.update(damage=damage, last=last, trips=0, was_hit=False)

    def push(self, local: Path, remote: PurePosixPath) -> None:
        self._count()
        super().push(local, remote)

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        self._count()
        return super().run(argv, timeout=timeout)

    def _count(self) -> None:
        self.__dict__["trips"] += 1
        if self.__dict__["damage"] and self.__dict__["trips"] == self.__dict__["last"]:
            self.__dict__["was_hit"] = self.__dict__["damage"].hit(Path(self.root))


@dataclass
class Ground:
    """A device that serves one of three bundles of ours, with another one behind; and a stranger's bundle."""

    root: Path
    bundles: Sequence[Bundle]
    stranger: Bundle
    key: PublicKey
    trips: int = 0
    """Round trips of a flash that is committed and left again."""
    codes: Counter[str] = field(default_factory=Counter)

    @property
    def url(self) -> str:
        return f"local://{self.root}"

    def prepare(self) -> None:
        for bundle in self.bundles[:2]:
            commit(flash(bundle, Local(self.url)))
        counted = Hurt(self.url)
        _until(self.news(), counted, GO_BACK)
        self.trips = counted.__dict__["trips"]

    def news(self) -> Bundle:
        """A bundle that is in no slot, or that has failed there."""
        there = [slot.digest for slot in status(Local(self.url)).slots.values() if slot.state == "committed"]
        return next(bundle for bundle in self.bundles if bundle.digest not in there)

    def served(self) -> tuple[str | None, bool]:
        """Digest of the manifest that the link `current` leads to, and whether that bundle is one of ours and whole."""
        link = self.root / "current"
        if not link.is_symlink() or not link.is_dir():
            return None, False
        slot = link.resolve()
        files = (path for path in slot.rglob("*") if path.is_symlink() or not path.is_dir())
        sums = {path.relative_to(slot).as_posix(): _sum(path) for path in files}
        return sums.get(MANIFEST), sums in [contents(bundle) for bundle in self.bundles]


@dataclass(frozen=True)
class Try:
    """One damage, and what came of it."""

    damage: Damage
    end: str
    hit: bool
    seconds: float
    broken: tuple[str, ...]


def run(count: int, seed: int, first: int, jobs: int, scratch: Path) -> bool:
    """So many tries, on as many devices at once as `jobs`; each is said as it ends. Whether a promise was broken."""
    bundles, stranger, key = _bundles(scratch)
    left: SimpleQueue[Damage] = SimpleQueue()
    for damage in plan(count, seed)[first - 1 :]:
        left.put(damage)
    tries: list[Try] = []
    codes: Counter[str] = Counter()

    def work(job: int) -> None:
        ground = None
        while not left.empty():
            with contextlib.suppress(Empty):
                damage = left.get_nowait()
                if ground is None:
                    ground = Ground(scratch / f"device-{damage.number}", bundles, stranger, key, codes=codes)
                    ground.prepare()
                tries.append(tried(ground, damage))
                _tell(tries[-1], seed)
                # What is broken is no ground for the next.
                ground = None if tries[-1].broken else ground

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(work, range(jobs)))
    print(_table(tries, codes))
    return any(one.broken for one in tries)


def _bundles(scratch: Path) -> tuple[tuple[Bundle, ...], Bundle, PublicKey]:
    """Three bundles of the user's key, one that a stranger signed, and that key."""
    # The runtime that starts soonest: every try tests several models.
    bundles = built("host", scratch / "bundles", "onnx")
    manifest = bundles[0].manifest.model_dump(by_alias=True, exclude={"files"})
    contents = {file.path: bundles[0].read(file.path) for file in bundles[0].manifest.files}
    described = ManifestContent.model_validate({**manifest, "name": "theirs"})
    stranger = pack(described, contents, SigningKey.generate(), scratch / "theirs.edgekit")
    return bundles, stranger, bundles[0].signers[0]


def _tell(one: Try, seed: int) -> None:
    damage = one.damage
    where = f"{damage.file} {damage.way} at {damage.at:.2f} of a flash, then {one.end}"
    print(f"damage {damage.number}: {where}, {'hit' if one.hit else 'not there'}, {one.seconds:.0f} s", flush=True)
    for what in one.broken:
        print(f"BROKEN at damage {damage.number}, {where}, --seed {seed}: {what}", flush=True)


def _table(tries: Sequence[Try], codes: Counter[str]) -> str:
    """Table by file: tries, those that found the file, those that broke a promise; then the errors that were told."""
    lines = [f"{'file':22}{'tries':>7}{'hit':>6}{'broken':>8}"]
    for name in (*FILES, "all"):
        some = [one for one in tries if name in (one.damage.file, "all")]
        lines.append(f"{name:22}{len(some):7}{sum(one.hit for one in some):6}{sum(bool(o.broken) for o in some):8}")
    return "\n".join([*lines, " ".join(f"{code}: {count}" for code, count in sorted(codes.items()))])


def tried(ground: Ground, damage: Damage) -> Try:
    """Damage the device within a flash; look; ask every verb; repair as it says; flash to the end."""
    began, end = time.monotonic(), ENDS[damage.number % len(ENDS)]
    device, wrong = Hurt(ground.url, damage, 1 + int(damage.at * ground.trips)), list[str]()
    before = ground.served()[0]
    news = ground.news()
    _ask(ground, wrong, "flash", lambda: _until(news, device, end))
    wrong += _lies(ground, damage, {before, news.digest})
    _ask(ground, wrong, "a stranger's flash", lambda: _committed(ground.stranger, ground), may_pass=False)
    _ask(ground, wrong, "rollback", lambda: rollback(serving(Local(ground.url))))
    wrong += _lies(ground, damage, {bundle.digest for bundle in ground.bundles})
    wrong += _recover(ground, damage)
    return Try(damage, end, device.__dict__["was_hit"], time.monotonic() - began, tuple(wrong))


def _ask(ground: Ground, wrong: list[str], verb: str, action: Callable[[], Any], may_pass: bool = True) -> None:
    """Whatever it is answered must be an answer: done, or an error with its code and what to type."""
    try:
        action()
    except EdgekitError as error:
        ground.codes[error.code] += 1
        if error.code == "EK000":
            wrong.append(f"{verb}: {error.code} {error}")
        return
    except Exception as error:  # noqa: BLE001 what nobody thought of is what is looked for
        wrong.append(f"{verb}: {type(error).__name__}: {error}")
        return
    if not may_pass:
        wrong.append(f"{verb} was taken")


def _lies(ground: Ground, damage: Damage, expected: set[str | None]) -> list[str]:
    """Faults that the status does not tell: what is served is not whole, or not expected."""
    digest, good = ground.served()
    try:
        state = status(Local(ground.url))
    except EdgekitError as error:
        return [f"status: {error.code} {error}"]
    if good:
        return [] if digest in expected else [f"it serves '{digest}', which nobody flashed"]
    if not damage.file.startswith(("served/", "other/", "current")):
        return [f"what it serves is not whole, and no file of it was touched: {damage.file}"]
    return [] if _tells(state) else ["what it serves is not whole, and the status does not say so"]


def _tells(state: Status) -> bool:
    served = state.slots.get(state.current or "")
    return bool(state.damage) or served is None or not served.whole


def _recover(ground: Ground, damage: Damage) -> list[str]:
    """Type what the device says is to be typed: then the next flash is served, whole, and nothing is amiss."""
    local = Local(ground.url)
    if damage.file == "program":
        # The host that lost it could not give its lease back: two minutes pass.
        (ground.root / "lease.json").unlink(missing_ok=True)
    try:
        if damage.file == "trust.json":
            trust(local, pin=[ground.key], threshold=1, target="", floor=0, lower_floor=True)
        repaired = repair(local)
        state = status(local)
        if state.damage:
            return [f"after its repair it says {state.damage}"]
        if not ground.served()[1] and not _tells(state):
            return [f"after its repair it serves what is not whole: {repaired}"]
        _committed(ground.news(), ground)
        _committed(ground.news(), ground)
        after = status(local)
    except EdgekitError as error:
        return [f"not recovered: {error.code} {error}"]
    amiss = not ground.served()[1] or _tells(after) or not all(slot.whole for slot in after.slots.values())
    return [f"two flashes later it is not well: {after.slots}"] if amiss else []


def _committed(bundle: Bundle, ground: Ground) -> None:
    commit(flash(bundle, Local(ground.url)))


def _until(bundle: Bundle, device: Local, end: str) -> None:
    installation = flash(bundle, device)
    if end != DROP:
        commit(installation)
    if end != "commit":
        rollback(installation)


def _sum(path: Path) -> str:
    return "a link" if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
