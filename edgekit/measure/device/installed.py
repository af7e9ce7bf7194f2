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

from edgekit.devices.flash import Installation
from edgekit.devices.local import Local
from edgekit.devices.measurement_protocol import Accuracy, InstructionAnswer, Loaded
from edgekit.devices.runner_client import put_runner
from edgekit.devices.transport import DeviceKind
from edgekit.ir.measurement import Array, Environment, Measurement, Validity, no_latency
from edgekit.ir.validity import EMULATED, NOT_ASKED, validity
from edgekit.measure.device.processes import timed
from edgekit.measure.device.session import ProbeSession, asking
from edgekit.measure.endpoint import Endpoint
from edgekit.measure.shards import Shards, answered
from edgekit.runner.layout import MANIFEST
from edgekit.samples import Samples
from edgekit.specs.profile import Probe

COUNTED = 10
"""Inferences whose instructions are counted: the least is wanted, and it comes back every few."""
UNCOUNTED = 32
"""Inferences beside them, at most: the runner lets the model settle first."""
EMULATED_SHARD_S = 300.0
"""A runtime takes half a minute to start there."""
PACE_COUNT = 8
AT_ONCE = Shards(first=sys.maxsize)
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
            # Latency first, on a machine that has not worked yet. Instructions last: Python keeps what it compiles at
            # the first import, and imports another way from then on.
            timed = self._timed(asked, samples, probe) if probe and not asked.emulated else None
            outputs, samples_per_s, last = self._outputs(asked, samples, probe.threads if probe else 1)
            counted = self._counted(asked, samples, probe.threads) if probe and asked.emulated else None
            unasked = self._measured(last, samples, EMULATED if asked.emulated else NOT_ASKED)
            return replace(timed or counted or unasked, outputs=outputs, samples_per_s=samples_per_s)

    def speed(self, samples: Samples, probe: Probe) -> Measurement:
        """As `measure`, without outputs."""
        with asking(self.installation) as asked:
            if asked.emulated:
                return self._counted(asked, samples, probe.threads)
            return self._timed(asked, samples, probe)

    def seconds_a_sample(self, samples: Samples) -> float:
        """How long an answer takes there, on a few of `samples`. Raises as `measure` does."""
        with asking(self.installation) as asked:
            few = samples.take(range(min(PACE_COUNT, len(samples))))
            return _answers(asked, few, 1)[0].answered_ns / 1e9 / len(few)

    def _timed(self, asked: ProbeSession, samples: Samples, probe: Probe) -> Measurement:
        timing = timed(asked, samples, probe)
        facts = timing.answers[0]
        valid = validity(timing.processes, timing.latency_ns, probe.min_count, facts.threads, facts.info.cores)
        return replace(
            self._measured(facts, samples, valid),
            latency_ns=timing.latency_ns,
            processes=timing.processes,
            around=timing.around,
            energy=timing.energy,
        )

    def _counted(self, asked: ProbeSession, samples: Samples, threads: int) -> Measurement:
        asked.send({name: array[:1] for name, array in samples.inputs.items()}, "counted")
        argv = ("--count", COUNTED, "--threads", threads)
        answer = asked.ask(
            InstructionAnswer, "instructions", "counted", *argv, timeout=asked.limit(COUNTED + UNCOUNTED)
        )
        counts = asked.integers("instructions", answer.count)
        return replace(self._measured(answer, samples, EMULATED), instructions=int(counts.min()))

    def _measured(self, facts: Loaded, samples: Samples, valid: Validity) -> Measurement:
        """What one run of the runner says of itself: neither outputs nor latencies yet."""
        return Measurement(
            outputs={},
            labels=samples.labels,
            samples_digest=samples.digest,
            latency_ns=no_latency(),
            load_ns=facts.load_ns,
            first_ns=facts.first_ns,
            peak_rss_bytes=facts.peak_rss_bytes,
            environment=_environment(facts, self.installation.transport.kind),
            validity=valid,
            model_rss_bytes=facts.model_rss_bytes,
        )

    def _outputs(
        self, asked: ProbeSession, samples: Samples, threads: int
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
        digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        yield Installed(Installation(runner, PurePosixPath(folder.resolve()), digest, committed=False))


def outputs_in_parts(endpoint: Endpoint, samples: Samples, parts: int) -> Measurement:
    """The outputs for every sample, measured by `parts` runs side by side: no latency, so none can be disturbed."""
    chosen = np.array_split(np.arange(len(samples)), min(parts, len(samples)))
    with ThreadPoolExecutor(parts) as pool:
        measured = list(pool.map(lambda part: endpoint.measure(samples.take(part), None), chosen))
    outputs = {name: np.concatenate([part.outputs[name] for part in measured]) for name in measured[0].outputs}
    return replace(measured[0], outputs=outputs, labels=samples.labels, samples_digest=samples.digest)


def _answers(asked: ProbeSession, samples: Samples, threads: int) -> tuple[Accuracy, dict[str, Array]]:
    digests = asked.send(samples.inputs, "shard")
    argv = ("--threads", threads, *digests)
    answer = asked.ask(Accuracy, "accuracy", "shard", *argv, timeout=asked.limit(len(samples)))
    outputs = asked.outputs(answer, len(samples))
    asked.remove("shard")
    return answer, outputs


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
        provider=facts.provider,
        planned_provider=facts.planned_provider,
    )
