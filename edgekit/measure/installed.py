"""A bundle on a device as an endpoint."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

import numpy as np

from edgekit.devices.answers import Accuracy, Counted, Loaded
from edgekit.devices.flash import Installation
from edgekit.devices.local import Local
from edgekit.devices.onboard import put_runner
from edgekit.devices.transport import DeviceKind
from edgekit.ir.measurement import Array, Environment, Measurement, Validity, no_latency
from edgekit.ir.validity import EMULATED, NOT_ASKED, validity
from edgekit.measure.asking import Asking, asking
from edgekit.measure.endpoint import Endpoint
from edgekit.measure.processes import Timing, timed
from edgekit.measure.shards import Shards, answered
from edgekit.samples import Samples
from edgekit.specs.profile import Probe

COUNTED = 10
"""Inferences whose instructions are counted: the least is wanted, and it comes back every few."""
UNCOUNTED = 32
"""Inferences beside them, at most: the runner lets the model settle first."""
EMULATED_SHARD_S = 300.0
"""A runtime takes half a minute to start there."""
PACE_COUNT = 8
AT_ONCE = Shards(first=sys.maxsize, bytes=sys.maxsize)
"""All samples in one shard, none kept."""


@dataclass(frozen=True)
class Installed:
    """An endpoint: the model in a slot of a device, run by the runner there."""

    installation: Installation
    shards: Shards = AT_ONCE
    """How the set is sent for its answers, and what of it is kept after a failure."""

    def measure(self, samples: Samples, probe: Probe | None) -> Measurement:
        """Outputs for every sample, and the latency of single inferences if `probe` asks for it.

        An emulated device gives the instructions of one inference in place of latency. Raises ProbeError if a run
        fails, DeviceBusy if another edgekit is at work there, Unreachable, StorageError.
        """
        with asking(self.installation) as asked:
            return self._measurement(asked, samples, probe)

    def seconds_a_sample(self, samples: Samples) -> float:
        """How long an answer takes there, on a few of `samples`. Raises as `measure` does."""
        with asking(self.installation) as asked:
            few = samples.take(range(min(PACE_COUNT, len(samples))))
            return _answers(asked, few, 1)[0].answered_ns / 1e9 / len(few)

    def _measurement(self, asked: Asking, samples: Samples, probe: Probe | None) -> Measurement:
        threads = probe.threads if probe else 1
        # Latency first, on a machine that has not worked yet.
        timing = timed(asked, samples, probe) if probe and not asked.emulated else None
        outputs, samples_per_s, last = self._outputs(asked, samples, threads)
        # Instructions last: Python keeps what it compiles at the first import, and imports another way from then on.
        counted, instructions = _instructions(asked, samples, threads) if probe and asked.emulated else (None, None)
        facts = (timing.answers[0] if timing else counted) or last
        return Measurement(
            outputs=outputs,
            labels=samples.labels,
            samples_digest=samples.digest,
            latency_ns=timing.latency_ns if timing else no_latency(),
            load_ns=facts.load_ns,
            first_ns=facts.first_ns,
            peak_rss_bytes=facts.peak_rss_bytes,
            environment=_environment(facts, self.installation.transport.kind),
            validity=_validity(asked, timing, probe),
            instructions=instructions,
            processes=timing.processes if timing else (),
            model_rss_bytes=facts.model_rss_bytes,
            around=timing.around if timing else None,
            energy=timing.energy if timing else None,
            samples_per_s=samples_per_s,
        )

    def _outputs(
        self, asked: Asking, samples: Samples, threads: int
    ) -> tuple[dict[str, Array], float | None, Accuracy]:
        last: list[Accuracy] = []

        def ask(part: Samples) -> dict[str, Array]:
            answer, outputs = _answers(asked, part, threads)
            last[:] = [answer]
            return outputs

        device, runner = self.installation.transport, self.installation.runner
        # Where a scratch folder of this machine stands in for a device, its name says nothing.
        where = device.kind if device.kind == "local" else device.url
        shards = self.shards.of(where, self.installation.digest, runner.interpreter, threads, samples.digest)
        if asked.emulated:
            shards = replace(shards, seconds=EMULATED_SHARD_S)
        outputs, samples_per_s = answered(samples, ask, shards)
        if not last:  # all of it was kept from a probe that failed later
            ask(samples.take([0]))
        return outputs, samples_per_s, last[0]


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


def _answers(asked: Asking, samples: Samples, threads: int) -> tuple[Accuracy, dict[str, Array]]:
    digests = asked.send(samples.inputs, "shard")
    argv = ("--threads", threads, *digests)
    answer = asked.ask(Accuracy, "accuracy", "shard", *argv, timeout=asked.limit(len(samples)))
    outputs = {name: asked.fetch(name, len(samples), sha256) for name, sha256 in answer.outputs.items()}
    asked.remove("shard")
    return answer, outputs


def _instructions(asked: Asking, samples: Samples, threads: int) -> tuple[Counted, int]:
    asked.send({name: array[:1] for name, array in samples.inputs.items()}, "counted")
    argv = ("--count", COUNTED, "--threads", threads)
    answer = asked.ask(Counted, "instructions", "counted", *argv, timeout=asked.limit(COUNTED + UNCOUNTED))
    return answer, int(asked.fetch("instructions", answer.count).min())


def _validity(asked: Asking, timing: Timing | None, probe: Probe | None) -> Validity:
    if asked.emulated:
        return EMULATED
    if probe is None or timing is None:
        return NOT_ASKED
    facts = timing.answers[0]
    return validity(timing.processes, timing.latency_ns, probe.min_count, facts.threads, facts.info.cores)


def _environment(facts: Loaded, kind: DeviceKind) -> Environment:
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
