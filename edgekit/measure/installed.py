"""A bundle on a device as an endpoint."""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TypeVar

import numpy as np

from edgekit.cache import storage_errors
from edgekit.devices.answers import Accuracy, Latency
from edgekit.devices.flash import Installation
from edgekit.devices.local import Local
from edgekit.devices.onboard import put_runner
from edgekit.devices.transport import DeviceKind
from edgekit.errors import EdgekitError, ProbeError
from edgekit.ir.measurement import Array, Environment, Measurement, Validity, no_latency
from edgekit.ir.validity import EMULATED, NOT_ASKED, validity
from edgekit.measure.endpoint import Endpoint
from edgekit.samples import Samples
from edgekit.specs.profile import Probe

A = TypeVar("A", bound=Latency)

START_S = 120.0
"""Time limit of importing a runtime and loading a model."""
INFERENCE_S = 1.0
"""Time limit of one inference, on average."""
EMULATED_START_S = 300.0
EMULATED_INFERENCE_S = 10.0
"""On an emulated device: importing a runtime takes half a minute there, a float inference six seconds."""
COUNTED = 10
"""Inferences whose instructions are counted: the least is wanted, and it comes back every few."""
UNCOUNTED = 32
"""Inferences beside them, at most: the runner lets the model settle first."""


@dataclass(frozen=True)
class Installed:
    """An endpoint: the model in a slot of a device, run by the runner there."""

    installation: Installation

    def measure(self, samples: Samples, probe: Probe | None) -> Measurement:
        """Outputs for every sample, and the latency of single inferences if `probe` asks for it.

        An emulated device gives the instructions of one inference in place of latency. Raises ProbeError if a run
        fails, DeviceBusy if another edgekit is at work there, Unreachable, StorageError.
        """
        runner = self.installation.runner
        remote = self.installation.root / "probe" / secrets.token_hex(8)
        with tempfile.TemporaryDirectory() as name:
            run = _Run(self.installation, remote, Path(name))
            try:
                return run.measurement(samples, probe)
            finally:
                with contextlib.suppress(EdgekitError):
                    runner.remove(remote)


@contextlib.contextmanager
def unpacked(folder: Path) -> Iterator[Installed]:
    """The bundle unpacked in `folder` as an endpoint on this machine, without a device and its slots."""
    with tempfile.TemporaryDirectory() as scratch, Local(f"local://{scratch}") as here:
        runner, _ = put_runner(here, (here.python,))
        digest = hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
        yield Installed(Installation(runner, PurePosixPath(folder.resolve()), digest, committed=False))


def outputs_in_parts(endpoint: Endpoint, samples: Samples, parts: int) -> Measurement:
    """The outputs for every sample, measured by `parts` runs side by side: no latency, so none can be disturbed."""
    chosen = np.array_split(np.arange(len(samples)), min(parts, len(samples)))
    with ThreadPoolExecutor(parts) as pool:
        measured = list(pool.map(lambda part: endpoint.measure(samples.take(part), None), chosen))
    outputs = {name: np.concatenate([part.outputs[name] for part in measured]) for name in measured[0].outputs}
    return replace(measured[0], outputs=outputs, labels=samples.labels, samples_digest=samples.digest)


@dataclass(frozen=True)
class _Run:
    """One measurement: a folder on the device and one here."""

    installation: Installation
    remote: PurePosixPath
    local: Path

    def measurement(self, samples: Samples, probe: Probe | None) -> Measurement:
        threads = probe.threads if probe else 1
        self._send(samples)
        # Latency first, on a machine that has not worked yet.
        timed, latency_ns = self._latency(probe) if probe and not self._emulated else (None, no_latency())
        answered, outputs = self._accuracy(len(samples), threads)
        # Instructions last: Python keeps what it compiles at the first import, and imports another way from then on.
        counted, instructions = self._instructions(threads) if probe and self._emulated else (None, None)
        facts = timed or counted or answered
        return Measurement(
            outputs=outputs,
            labels=samples.labels,
            samples_digest=samples.digest,
            latency_ns=latency_ns,
            load_ns=facts.load_ns,
            first_ns=facts.first_ns,
            peak_rss_bytes=facts.peak_rss_bytes,
            environment=_environment(facts, self.installation.transport.kind),
            validity=self._validity(facts, probe),
            instructions=instructions,
        )

    def _send(self, samples: Samples) -> None:
        for name, array in samples.inputs.items():
            path = self.local / "inputs" / f"{name}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            with storage_errors(self.local):
                np.save(path, array, allow_pickle=False)
            self.installation.transport.push(path, self.remote / "inputs" / f"{name}.npy")

    def _latency(self, probe: Probe) -> tuple[Latency, Array]:
        argv = ("--min-count", probe.min_count, "--min-duration", probe.min_duration_s, "--threads", probe.threads)
        limit = self._limit(probe.min_count) + 2 * probe.min_duration_s
        answer = self._ask(Latency, "latency", *argv, timeout=limit)
        return answer, self._fetch("latency_ns", answer.count)

    def _instructions(self, threads: int) -> tuple[Latency, int]:
        argv = ("--count", COUNTED, "--threads", threads)
        answer = self._ask(Latency, "instructions", *argv, timeout=self._limit(COUNTED + UNCOUNTED))
        return answer, int(self._fetch("instructions", answer.count).min())

    def _accuracy(self, count: int, threads: int) -> tuple[Accuracy, dict[str, Array]]:
        answer = self._ask(Accuracy, "accuracy", "--threads", threads, timeout=self._limit(count))
        return answer, {name: self._fetch(name, count) for name in answer.outputs}

    @property
    def _emulated(self) -> bool:
        return self.installation.transport.kind == "emulated"

    def _limit(self, inferences: int) -> float:
        """Seconds that so many inferences may take, starting included."""
        if self._emulated:
            return EMULATED_START_S + EMULATED_INFERENCE_S * inferences
        return START_S + INFERENCE_S * inferences

    def _validity(self, facts: Latency, probe: Probe | None) -> Validity:
        if self._emulated:
            return EMULATED
        if probe is None:
            return NOT_ASKED
        return validity(facts.count, probe.min_count, facts.background_cores, facts.threads, facts.info.cores)

    def _ask(self, answer: type[A], verb: str, *argv: object, timeout: float) -> A:
        folders = ("--inputs", self.remote / "inputs", "--out", self.remote / "out")
        slot = self.installation.slot
        return self.installation.runner.ask(answer, verb, slot, *folders, *argv, timeout=timeout, failure=ProbeError)

    def _fetch(self, name: str, count: int) -> Array:
        path = self.local / "out" / f"{name}.npy"
        self.installation.transport.pull(self.remote / "out" / f"{name}.npy", path)
        try:
            array: Array = np.load(path, allow_pickle=False)
        except (OSError, ValueError) as error:
            raise ProbeError(f"'{name}.npy' came back damaged: {error}") from error
        if len(array) != count:
            raise ProbeError(f"'{name}.npy' came back with {len(array)} rows, not {count}")
        return array


def _environment(facts: Latency, kind: DeviceKind) -> Environment:
    info = facts.info
    return Environment(
        kind=kind,
        machine=info.machine,
        system=info.system,
        cpu=info.cpu,
        cores=info.cores,
        ram_bytes=info.ram_bytes,
        runtime=facts.runtime,
        python=info.python,
        threads=facts.threads,
        host_stand_in=kind == "local",
    )
