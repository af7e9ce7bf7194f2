"""One device whose power is cut again and again, each time in another flash."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from edgekit.bundle.archive import Bundle
from edgekit.devices.emulation.faults import Device, fresh
from edgekit.devices.flash import commit, flash, rollback
from edgekit.devices.runner_client import Runner
from edgekit.devices.transport import Transport
from edgekit.errors import EdgekitError
from edgekit.specs.target import Target
from scripts.cuts import halting
from scripts.cuts.observation import LIMIT_S, Observation, broken, observe
from scripts.cuts.plan import DROP, GO_BACK, Cut
from scripts.cuts.step_recorder import HALTING, Cost, RecordedTransport

LOOK_S = 0.01
KNOWN = "a b current lock lease.json runner runtimes staging state.json trust.json"


@dataclass(frozen=True)
class Round:
    """One cut, and what came of it."""

    cut: Cut
    hit: str
    """The step that had begun last when the power went."""
    halted: bool
    """The verb stood still at the change that was drawn."""
    served: str
    """`old` or `new`, or something else."""
    seconds: float
    broken: tuple[str, ...]


@dataclass
class Board:
    """A device that serves a bundle, and what every step of a flash takes on it."""

    device: Device
    bundles: tuple[Bundle, ...]
    runner: Runner
    looked: Observation
    costs: dict[str, Cost] = field(default_factory=dict)

    def cut(self, cut: Cut) -> Round:
        """Flash what is in no slot, cut, observe, and flash something else to its end."""
        started = time.monotonic()
        before = self.looked
        old = self.served()
        new = self.news()
        flashed, hit = self._cut(cut, new)
        halted = flashed.mark in self.device.machine.console()
        wrong: list[str] = []
        served = "neither"
        try:
            self.device.boot()
            with self.device.connected() as transport:
                self.runner = replace(self.runner, transport=transport)
                self.looked = observe(self.runner)
                served = {old.digest: "old", new.digest: "new"}.get(self.looked.served or "", "neither")
                wrong += broken(before, self.looked, self.runner, flashed, old, new)
                following = self.news()
                self.flash(transport, following, "commit")
                wrong += [] if self.looked.served == following.digest else ["the next flash is not served"]
                wrong += [f"left behind: {self.left(transport)}"] if self.left(transport) else []
        except EdgekitError as error:
            wrong.append(f"{error.code} {error}")
        return Round(cut, hit, halted, served, time.monotonic() - started, tuple(wrong))

    def flash(self, transport: Transport, bundle: Bundle, end: str) -> None:
        """A flash that nobody cuts, of which every step is timed."""
        watched = RecordedTransport(transport)
        prepare(transport)
        flash_until(bundle, watched, end)
        self.costs |= watched.costs
        self.looked = observe(replace(self.runner, transport=transport))

    def time_steps(self, cuts: Iterable[Cut]) -> None:
        """Flash so that every step of these cuts is taken. The last flash serves its bundle."""
        ends = {cut.end for cut in cuts}
        with self.device.connected() as transport:
            for end in (DROP, GO_BACK, "commit"):
                if end in ends or end == "commit":
                    self.flash(transport, self.news(), end)

    def served(self) -> Bundle:
        return next(bundle for bundle in self.bundles if bundle.digest == self.looked.served)

    def news(self) -> Bundle:
        """A bundle that is in no slot."""
        there = [slot.digest for slot in self.looked.status.slots.values()]
        return next(bundle for bundle in self.bundles if bundle.digest not in there)

    def _cut(self, cut: Cut, new: Bundle) -> tuple[RecordedTransport, str]:
        """The flash that was cut, and the step that had begun last."""
        cost = self.costs[cut.step]
        with self.device.connected() as transport:
            prepare(transport)
            watched = RecordedTransport(transport, cut, cost)

            def work() -> None:
                with contextlib.suppress(EdgekitError):
                    flash_until(new, watched, cut.end)
                watched.reached.set()

            flashing = threading.Thread(target=work)
            flashing.start()
            watched.reached.wait()
            if cut.kind == "moment":
                time.sleep(cost.seconds_before + cut.at * cost.seconds)
            else:
                self._wait_for(watched.mark, flashing)
            hit = watched.begun[-1]
            self.device.cut_power()
            flashing.join()
        return watched, hit

    def _wait_for(self, mark: str, flashing: threading.Thread) -> None:
        deadline = time.monotonic() + LIMIT_S
        while flashing.is_alive() and mark not in self.device.machine.console() and time.monotonic() < deadline:
            time.sleep(LOOK_S)

    def left(self, transport: Transport) -> str:
        """Files in the device's folder, or on their way, that should not be there."""
        names = transport.run(["ls", "-A", str(transport.root)], timeout=LIMIT_S).stdout.split()
        coming = transport.run(["ls", "-A", str(transport.root / "staging")], timeout=LIMIT_S).stdout.split()
        return " ".join([*sorted(set(names) - set(KNOWN.split())), *coming])


@contextlib.contextmanager
def board(target: Target, bundles: tuple[Bundle, ...]) -> Iterator[Board]:
    """A fresh device that serves the first bundle."""
    with fresh(target) as device:
        with device.connected() as transport:
            installation = flash(bundles[0], transport)
            commit(installation)
            made = Board(device, bundles, installation.runner, observe(installation.runner))
        yield made


def prepare(transport: Transport) -> None:
    """Push the program that stops a verb at a change; it lies in memory there, and a boot forgets it."""
    transport.push(Path(halting.__file__), HALTING)


def flash_until(bundle: Bundle, device: Transport, end: str) -> None:
    """Flash, and serve it at once; or drop the trial; or commit the trial as a verdict does, and go back from it."""
    installation = flash(bundle, device, serve=end == "commit")
    if end == GO_BACK:
        commit(installation)
    if end != "commit":
        rollback(installation)
