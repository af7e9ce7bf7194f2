"""Endpoint: a bundle in a slot of a device, run there by the runner."""

from __future__ import annotations

import contextlib
import hashlib
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from edgekit.devices.flash import Installation
from edgekit.devices.local import Local
from edgekit.devices.measurement_protocol import Accuracy, InstructionAnswer, Loaded
from edgekit.devices.runner_install import put_runner
from edgekit.devices.transport import DeviceKind
from edgekit.ir.measurement import Array, Environment, Measurement, Validity, no_latency
from edgekit.ir.validity import EMULATED, NOT_ASKED, software, validity
from edgekit.measure.device.processes import time_inferences
from edgekit.measure.device.session import ProbeSession, probe_session
from edgekit.measure.endpoint import Endpoint
from edgekit.measure.shards import Shards, answer_in_shards
from edgekit.runner.layout import MANIFEST
from edgekit.runner.model.accelerator import CPU, Accelerator
from edgekit.samples import Samples
from edgekit.specs.profile import Probe

COUNTED = 10
"""Inferences whose instructions are counted: the minimum is reported, and it recurs every few inferences."""
UNCOUNTED = 32
"""Warm-up inferences before them, at most: the runner lets the model settle first."""
EMULATED_SHARD_S = 300.0
"""Seconds that one shard may take on an emulated device, where a runtime takes half a minute to start."""
PACE_COUNT = 8
"""Samples from which the seconds per sample are estimated."""
AT_ONCE = Shards(first=sys.maxsize)
"""All samples in one shard, none kept."""


@dataclass(frozen=True)
class Installed:
    """An endpoint: the model in a slot of a device, run by the runner there."""

    installation: Installation
    shards: Shards = AT_ONCE
    """Division of the samples into shards, and the folder that keeps answered shards after a failure."""

    def measure(self, samples: Samples, probe: Probe | None) -> Measurement:
        """Outputs for every sample, and the latency of single inferences if `probe` asks for it.

        With `shards.looks`, outputs for as many of the first samples as were enough, and no other.

        An emulated device gives the instructions of one inference in place of latency. Raises ProbeError if a run
        fails, DeviceBusy if another edgekit is at work there, Unreachable, StorageError.
        """
        with probe_session(self.installation) as session:
            # Latency first, on a machine that has not worked yet. Instructions last: Python keeps what it compiles at
            # the first import, and imports another way from then on.
            timed = self._timed(session, samples, probe) if probe and not session.emulated else None
            outputs, samples_per_s, last = self._outputs(session, samples, probe.threads if probe else 1)
            # Instructions of the core say nothing of an accelerator, nor of the program that stands in for it.
            counts = probe and session.emulated and self.installation.accelerator in (None, Accelerator(CPU))
            counted = self._counted(session, samples, probe.threads) if probe and counts else None
            unasked = self._facts_only(last, samples, EMULATED if session.emulated else NOT_ASKED)
            count = len(next(iter(outputs.values())))
            # A look at the answers may have been enough: then the rest was not asked.
            answered = samples if count == len(samples) else samples.take(np.arange(count))
            whole = replace(timed or counted or unasked, **_identity(answered))
            return replace(whole, outputs=outputs, samples_per_s=samples_per_s)

    def speed(self, samples: Samples, probe: Probe) -> Measurement:
        """Measure latency, or instructions on an emulated device; `outputs` stays empty. Raises as `measure` does."""
        with probe_session(self.installation) as session:
            if session.emulated:
                return self._counted(session, samples, probe.threads)
            return self._timed(session, samples, probe)

    def seconds_a_sample(self, samples: Samples) -> float:
        """Estimate the seconds per sample on the device, from a few of `samples`. Raises as `measure` does."""
        with probe_session(self.installation) as session:
            few = samples.take(range(min(PACE_COUNT, len(samples))))
            return _answers(session, few, 1)[0].answered_ns / 1e9 / len(few)

    def _timed(self, session: ProbeSession, samples: Samples, probe: Probe) -> Measurement:
        timing = time_inferences(session, samples, probe)
        facts = timing.answers[0]
        valid = validity(timing.processes, timing.latency_ns, probe.min_count, facts.threads, facts.info.cores)
        if facts.accelerator and facts.accelerator.software:
            valid = software(facts.accelerator.device)
        return replace(
            self._facts_only(facts, samples, valid),
            latency_ns=timing.latency_ns,
            processes=timing.processes,
            around=timing.around,
            energy=timing.energy,
        )

    def _counted(self, session: ProbeSession, samples: Samples, threads: int) -> Measurement:
        session.send({name: array[:1] for name, array in samples.inputs.items()}, "counted")
        argv = ("--count", COUNTED, "--threads", threads)
        answer = session.ask(
            InstructionAnswer, "instructions", "counted", *argv, timeout=session.limit(COUNTED + UNCOUNTED)
        )
        counts = session.integers("instructions", answer.count)
        return replace(self._facts_only(answer, samples, EMULATED), instructions=int(counts.min()))

    def _facts_only(self, facts: Loaded, samples: Samples, valid: Validity) -> Measurement:
        """Build a measurement from the facts of one run of the runner, without outputs or latencies."""
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
            length=samples.length,
            groups=samples.groups,
            accelerator=facts.accelerator,
        )

    def _outputs(
        self, session: ProbeSession, samples: Samples, threads: int
    ) -> tuple[dict[str, Array], float | None, Accuracy]:
        last: list[Accuracy] = []

        def ask(part: Samples) -> dict[str, Array]:
            answer, outputs = _answers(session, part, threads)
            last[:] = [answer]
            return outputs

        device, runner = self.installation.transport, self.installation.runner
        # Where a scratch folder of this machine stands in for a device, its name says nothing.
        where = device.kind if device.kind == "local" else device.url
        rule = replace(self.shards, first=max(1, self.shards.first // (samples.steps or 1)))
        run = threads, *filter(None, [self.installation.accelerator])
        shards = rule.of(where, self.installation.digest, runner.interpreter, *run, samples.digest)
        if session.emulated:
            shards = replace(shards, seconds=EMULATED_SHARD_S)
        outputs, samples_per_s = answer_in_shards(samples, ask, shards)
        if not last:  # all of it was kept from a probe that failed later
            ask(samples.take([0]))
        return outputs, samples_per_s, last[0]


@contextlib.contextmanager
def unpacked(folder: Path) -> Iterator[Installed]:
    """Yield an endpoint for the bundle unpacked in `folder`, run on this machine without a device and its slots."""
    with tempfile.TemporaryDirectory() as scratch, Local(f"local://{scratch}") as here:
        runner, _ = put_runner(here, (here.python,))
        digest = hashlib.sha256((folder / MANIFEST).read_bytes()).hexdigest()
        yield Installed(Installation(runner, PurePosixPath(folder.resolve()), digest, committed=False))


def outputs_in_parts(endpoint: Endpoint, samples: Samples, parts: int) -> Measurement:
    """Measure the outputs of every sample by `parts` runs side by side, which would disturb latency: none is taken."""
    chosen = np.array_split(np.arange(len(samples)), min(parts, len(samples)))
    with ThreadPoolExecutor(parts) as pool:
        measured = list(pool.map(lambda part: endpoint.measure(samples.take(part), None), chosen))
    outputs = {name: np.concatenate([part.outputs[name] for part in measured]) for name in measured[0].outputs}
    return replace(measured[0], outputs=outputs, **_identity(samples))


def _identity(samples: Samples) -> dict[str, Any]:
    """Fields of a measurement that say which samples it is of."""
    return {
        "labels": samples.labels,
        "samples_digest": samples.digest,
        "length": samples.length,
        "groups": samples.groups,
    }


def _answers(session: ProbeSession, samples: Samples, threads: int) -> tuple[Accuracy, dict[str, Array]]:
    digests = session.send(samples.inputs, "shard")
    argv = ("--threads", threads, *digests)
    answer = session.ask(Accuracy, "accuracy", "shard", *argv, timeout=session.limit(samples.inferences))
    outputs = session.outputs(answer, samples.inputs, samples.steps)
    session.remove("shard")
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
