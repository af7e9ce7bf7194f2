"""Cost of flashing beside moving the bytes: a bundle of 4 MB onto a warm emulated device, new and unchanged."""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, Self

from edgekit import examples
from edgekit.devices.transport import PULL_BYTES, DeviceKind
from scripts.benchmark import copies
from scripts.benchmark.processes import ROOT, cost

if TYPE_CHECKING:
    from edgekit.bundle.archive import Bundle
    from edgekit.bundle.signing import SigningKey
    from edgekit.devices.transport import Completed, Transport

# In the Python of whatever checkout: with an older one, a flash and its commit are apart.
FLASH = """
import inspect, sys, time
from pathlib import Path
from edgekit.bundle.archive import Bundle
from edgekit.bundle.keys import KeyStore
from edgekit.devices.device import connect
from edgekit.devices.flash import commit, flash

url, *paths = sys.argv[1:]
serve = {"serve": True} if "serve" in inspect.signature(flash).parameters else {}
trusted = KeyStore.of_user().trusted()
with connect(url) as device:
    for path in paths:
        bundle = Bundle.open(Path(path), trusted)
        began = time.perf_counter()
        installation = flash(bundle, device, **serve)
        if not installation.committed:
            commit(installation)
        print(time.perf_counter() - began)
"""
TARGET, BACKEND, PROFILE = "raspberry-pi-5", "tflite", "raspberry-pi-int8"
BYTES = 4_000_000


@dataclass
class Watched:
    """A transport that remembers what was asked of it, and how many seconds each took."""

    kind: ClassVar[DeviceKind] = "emulated"

    inner: Transport
    steps: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.url, self.root, self.python = (
            self.inner.url,
            self.inner.root,
            self.inner.python,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None: ...

    def push(self, local: Path, remote: PurePosixPath) -> None:
        began = time.perf_counter()
        self.inner.push(local, remote)
        self._took(f"push {remote.suffix}", began)

    def pull(self, remote: PurePosixPath, local: Path, limit: int = PULL_BYTES) -> None:
        self.inner.pull(remote, local, limit)

    def free_bytes(self, folder: PurePosixPath) -> int | None:
        began = time.perf_counter()
        free = self.inner.free_bytes(folder)
        self._took("free_bytes", began)
        return free

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        began = time.perf_counter()
        ended = self.inner.run(argv, timeout=timeout)
        self._took(_verb(argv), began)
        return ended

    def _took(self, name: str, began: float) -> None:
        self.steps.append((name, time.perf_counter() - began))


def _verb(argv: Sequence[str]) -> str:
    """The verb of a command to the runner; for any other command its name."""
    at = next((i + 1 for i, word in enumerate(argv[:-1]) if word.endswith(".pyz") and i), 0)
    return " ".join(argv[at : at + 2]) if argv[at] == "slots" else argv[at]


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench flash", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--target", default=TARGET)
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another edgekit, measured in turns with this")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.update({f"EDGEKIT_{place}": str(folder / place) for place in ("CONFIG", "DATA")})
        from edgekit.bundle.keys import KeyStore
        from edgekit.devices.emulation.transport import Emulated

        bundles = _bundles(folder, args.target, KeyStore.of_user().new("default"), 3 * args.repeats + 1)
        _edgekit("device", "up", args.target)
        try:
            with Emulated(f"emulated://{args.target}") as transport:
                _measure(bundles[: args.repeats + 1], transport, folder)
                copies.report(transport, BYTES)
            if args.against:
                _compare(bundles, args.against, args.target)
            _commands(bundles[-args.repeats :], args.target)
        finally:
            _edgekit("device", "down", args.target)


def _measure(bundles: Sequence[Bundle], transport: Transport, scratch: Path) -> None:
    from edgekit.devices.flash import flash

    watched, trips = Watched(transport), Counter[str]()
    times_s: dict[str, list[float]] = {"raw": [], "new": [], "same": []}
    steps: dict[str, list[list[tuple[str, float]]]] = {"new": [], "same": []}
    for i, bundle in enumerate(bundles):
        raw = scratch / "raw.bin"
        raw.write_bytes(os.urandom(BYTES))
        times_s["raw"].append(_seconds(lambda raw=raw: transport.push(raw, transport.root / "raw.bin")))
        for kind in ("new", "same"):
            watched.steps.clear()

            times_s[kind].append(_seconds(lambda bundle=bundle: flash(bundle, watched, serve=True)))
            steps[kind].append(list(watched.steps))
            trips[kind] = len(watched.steps)
        if i == 0:  # the first brings the runtime pack and the runner along
            for seconds in times_s.values():
                seconds.clear()
            for trips_of_a_flash in steps.values():
                trips_of_a_flash.clear()
    raw_s, new_s, same_s = (statistics.median(times) for times in times_s.values())
    print(f"{BYTES / 1e6:g} MB pushed, nothing else: {raw_s:.2f} s")
    print(f"a new bundle, flashed and committed: {new_s:.2f} s in {trips['new']} round trips; {new_s - raw_s:+.2f} s")
    print(f"the same again: {same_s:.2f} s in {trips['same']} round trips; {same_s / raw_s:.2f} of the transfer")
    for kind, runs in steps.items():
        print(f"{kind}:")
        for j, (name, _) in enumerate(runs[0]):
            print(f"  {name:20}{statistics.median(run[j][1] for run in runs) * 1e3:8.0f} ms")


def _compare(bundles: Sequence[Bundle], checkout: Path, target: str) -> None:
    """Another edgekit and this one in turns, each with a bundle that no slot has; the first pair warms up."""
    took: dict[Path, list[float]] = {checkout.resolve(): [], ROOT: []}
    turns = (place for _ in bundles for place in took)
    for place, bundle in zip(turns, bundles, strict=False):
        argv = [sys.executable, "-c", FLASH, f"emulated://{target}", str(bundle.path)]
        env = os.environ | {"PYTHONPATH": str(place)}
        ended = subprocess.run(argv, cwd=place, env=env, capture_output=True, text=True, timeout=600, check=True)
        took[place].append(float(ended.stdout))
    before, now = (statistics.median(times[1:]) for times in took.values())
    print(f"a new bundle by '{checkout}': {before:.2f} s; by this one, in turns: {now:.2f} s")


def _commands(bundles: Sequence[Bundle], target: str) -> None:
    """The whole command: this machine's Python starts and connects, too."""
    runs = [[_edgekit("flash", bundle.path, "--device", f"emulated://{target}") for _ in "ab"] for bundle in bundles]
    new_s, same_s = (statistics.median(times) for times in zip(*runs, strict=True))
    print(f"`edgekit flash`, from its start to its end: {new_s:.2f} s; the same again: {same_s:.2f} s")


def _edgekit(*argv: object) -> float:
    """Seconds that the command took."""
    return cost([sys.executable, "-m", "edgekit.cli", *map(str, argv)], {"PYTHONPATH": str(ROOT)}).seconds


def _seconds(action: object) -> float:
    assert callable(action)
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def _bundles(folder: Path, target: str, key: SigningKey, count: int) -> list[Bundle]:
    """Signed bundles of that size, no two alike: a model of digits, and bytes behind it that no runtime reads."""
    from edgekit.bundle.archive import pack
    from edgekit.bundle.manifest import ManifestContent
    from edgekit.cache import Cache
    from edgekit.pipeline.request import resolve_requests
    from edgekit.pipeline.stages.compile import Compilation
    from edgekit.pipeline.stages.pack import pack_bundle
    from edgekit.pipeline.stages.stage_runner import StageRunner
    from edgekit.specs.project import Project

    project = Project.read(examples.folder("digits"))
    compilation = Compilation(
        resolve_requests(project, target, BACKEND, PROFILE)[0], StageRunner(Cache.default().made())
    )
    with compilation.lowered() as finished:
        small = pack_bundle(compilation, finished(), key, folder)
    described = small.manifest.model_dump(by_alias=True, exclude={"files"})
    description = ManifestContent.model_validate(described)
    made = []
    for i in range(count):
        files = {file.path: small.read(file.path) for file in small.manifest.files}
        files[description.model[0]] += os.urandom(BYTES - sum(map(len, files.values())))
        made.append(pack(description, files, key, folder / f"{i}.edgekit"))
    return made
