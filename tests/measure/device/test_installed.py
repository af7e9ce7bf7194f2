"""Measuring what is installed on this machine, with the real runner and real runtimes."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np
import pytest

from edgekit.devices.emulation import faults
from edgekit.devices.flash import commit, flash, serving
from edgekit.devices.local import Local
from edgekit.devices.measurement_protocol import Accuracy, Loaded
from edgekit.devices.protocol import Info
from edgekit.devices.transport import Completed, DeviceKind
from edgekit.errors import ProbeError, Unreachable
from edgekit.ir.artifact import Format
from edgekit.ir.measurement import Environment, Measurement
from edgekit.measure.device import installed_bundle
from edgekit.measure.device.installed_bundle import Installed, outputs_in_parts, unpacked
from edgekit.measure.device.session import probe_session
from edgekit.measure.shards import Shards
from edgekit.samples import Samples
from edgekit.specs.catalog import Catalog
from edgekit.specs.profile import Probe
from tests.devices.conftest import MakeBundle
from tests.failing_converters import stopped
from tests.measure.unresponsive_device import Deaf
from tests.runner import slot

QUICK = Probe(min_count=20, min_duration_s=0, processes=1)


def _samples(count: int) -> Samples:
    return Samples(slot.inputs(count), np.arange(count, dtype=np.int64) % 5)


def _check(measured: Measurement, samples: Samples) -> None:
    wanted = slot.expected(dict(samples.inputs))
    np.testing.assert_allclose(measured.outputs["scores"], wanted["scores"], rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(measured.outputs["steps"], (wanted["steps"] - np.float32(-3)) * np.float32(0.25))
    np.testing.assert_array_equal(measured.labels, samples.labels)
    assert measured.samples_digest == samples.digest


@pytest.mark.parametrize("format", slot.FORMATS)
def test_what_was_flashed_is_measured(device: Local, make_bundle: MakeBundle, format: Format) -> None:
    samples = _samples(7)
    measured = Installed(flash(make_bundle("one", format), device)).measure(samples, QUICK)
    _check(measured, samples)
    assert measured.latency_ns.dtype == np.int64
    assert len(measured.latency_ns) == 20
    assert measured.latency_ns.min() > 0
    assert min(measured.load_ns, measured.first_ns, measured.peak_rss_bytes or 0) > 0
    environment = measured.environment
    assert (environment.kind, environment.host_stand_in, environment.threads) == ("local", True, 1)
    assert environment.machine == platform.machine()
    assert environment.python == platform.python_version()
    assert environment.runtime.split()[0] in {"executorch", "onnxruntime", "ai-edge-litert"}


def test_each_process_times_its_share_and_says_how_it_went(tmp_path: Path) -> None:
    with unpacked(slot.write_slot(tmp_path / "folder")) as endpoint:
        measured = endpoint.measure(_samples(3), Probe(min_count=20, min_duration_s=0.3, processes=3))
    assert len(measured.processes) == 3
    assert sum(process.count for process in measured.processes) == len(measured.latency_ns) >= 21
    for process in measured.processes:
        assert process.watched[-1].count == process.count
        assert process.warm_up_count > 0
        assert process.load_ns > 0
    assert measured.around is not None
    assert measured.around.before_ns > 0
    assert 0 < (measured.model_rss_bytes or 0) < (measured.peak_rss_bytes or 0)
    assert measured.samples_per_s


def test_a_device_that_goes_away_keeps_what_it_answered(device: Local, make_bundle: MakeBundle, tmp_path: Path) -> None:
    samples = _samples(40)
    shards = Shards(keep=tmp_path / "kept", first=8, seconds=0)
    bundle = make_bundle("one")
    flaky = flash(bundle, Unplugged(device.url))
    with pytest.raises(Unreachable) as caught:
        Installed(flaky, shards).measure(samples, None)
    assert caught.value.__notes__ == ["10 of 40 samples are kept: the same command goes on from there"]
    # Where a folder of this machine stands in for the device, it may be another one.
    again = Installed(flash(bundle, Counting(f"local://{tmp_path / 'elsewhere'}")), replace(shards, first=100))
    _check(again.measure(samples, None), samples)
    assert Counting.asked == [30]


def test_a_device_holds_one_shard_at_a_time(
    device: Local, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Small, "held", [])
    installation = flash(make_bundle("one"), Small(device.url))
    Installed(installation, Shards(first=2, seconds=0)).measure(_samples(4), None)
    assert Small.held == [set(), {"image.npy"}] * 3


def test_answers_damaged_on_the_way_are_noticed(device: Local, make_bundle: MakeBundle) -> None:
    with pytest.raises(ProbeError, match="did not arrive as it was sent"):
        Installed(flash(make_bundle("one"), Garbling(device.url))).measure(_samples(3), None)


def test_a_model_that_is_replaced_meanwhile_is_noticed(tmp_path: Path) -> None:
    folder = slot.write_slot(tmp_path / "folder")
    with unpacked(folder) as endpoint, probe_session(endpoint.installation) as asked:
        argv = ("--threads", 1, *asked.send(_samples(2).inputs, "shard"))
        asked.ask(Accuracy, "accuracy", "shard", *argv, timeout=60)
        model = folder / "model.onnx"
        model.write_bytes(model.read_bytes() + b"\x12\x00")  # another producer_name, the same graph
        with pytest.raises(ProbeError, match="replaced while it was probed"):
            asked.ask(Accuracy, "accuracy", "shard", *argv, timeout=60)


def test_no_object_is_pickled_for_a_device(tmp_path: Path) -> None:
    with unpacked(slot.write_slot(tmp_path / "folder")) as endpoint, probe_session(endpoint.installation) as asked:
        with pytest.raises(ValueError, match="allow_pickle=False"):
            asked.send({"image": np.array([{}], object)}, "shard")
        assert not Path(asked.remote).exists()


def test_nothing_is_left_on_the_device(device: Local, make_bundle: MakeBundle) -> None:
    commit(flash(make_bundle("one"), device))
    Installed(serving(device)).measure(_samples(2), None)
    assert not list((Path(device.root) / "probe").iterdir())


def test_what_a_device_says_of_itself_is_kept() -> None:
    facts = Loaded(
        load_ns=1,
        first_ns=2,
        peak_rss_bytes=50,
        empty_rss_bytes=20,
        model_sha256="",
        runtime="onnxruntime 1.20",
        provider="cpu",
        planned_provider="cuda",
        threads=3,
        count=1,
        info=Info(machine="m", system="s", cpu="c", cores=4, ram_bytes=5, python="3.11", runtimes={}),
    )
    there = Environment("device", "m", "s", "c", 4, 5, "onnxruntime 1.20", "3.11", 3, False, "cpu", "cuda")
    assert installed_bundle._environment(facts, "device") == there
    assert installed_bundle._environment(facts, "local") == replace(there, kind="local", host_stand_in=True)
    assert facts.model_rss_bytes == 30


def test_the_pace_of_a_device_is_told_by_a_few_samples(device: Local, make_bundle: MakeBundle) -> None:
    class Slow(Local):
        """Takes two seconds a sample, by its own clock."""

        def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
            done = super().run(argv, timeout=timeout)
            if "accuracy" not in argv:
                return done
            sent = np.load(Path(argv[argv.index("--inputs") + 1]) / "image.npy")
            answer = json.loads(done.stdout) | {"answered_ns": 2 * 10**9 * len(sent)}
            counts.append(len(sent))
            return Completed(done.argv, json.dumps(answer), done.stderr, done.returncode)

    counts: list[int] = []
    endpoint = Installed(flash(make_bundle("one"), Slow(device.url)))
    assert [endpoint.seconds_a_sample(_samples(count)) for count in (20, 3)] == [2.0, 2.0]
    assert counts == [8, 3]


def test_answers_may_take_a_start_and_so_much_a_sample(device: Local, make_bundle: MakeBundle) -> None:
    class DeafEmulated(Deaf):
        kind: ClassVar[DeviceKind] = "emulated"

    here, there = Deaf(device.url), DeafEmulated(device.url)
    installation = flash(make_bundle("one"), here)
    for transport in (here, there):
        endpoint = Installed(replace(installation, runner=replace(installation.runner, transport=transport)))
        with pytest.raises(Unreachable):
            endpoint.measure(_samples(7), None)
        with pytest.raises(Unreachable):
            endpoint.speed(_samples(7), QUICK)
    assert [limit_s for _, limit_s in there.asked] == [300.0 + 10 * 7, 300.0 + 10 * (10 + 32)]
    assert here.asked[0][1] == 120.0 + 5 * 7
    assert there.asked[1][0] == "--count 10 --threads 1"


def test_outputs_measured_side_by_side_are_those_of_one_run(tmp_path: Path) -> None:
    samples = _samples(7)
    with unpacked(slot.write_slot(tmp_path / "folder")) as endpoint:
        for parts in (2, 9):
            _check(outputs_in_parts(endpoint, samples, parts), samples)


def test_a_folder_is_measured_without_installing_it(tmp_path: Path) -> None:
    samples = _samples(3)
    with unpacked(slot.write_slot(tmp_path / "folder")) as endpoint:
        measured = endpoint.measure(samples, None)
    _check(measured, samples)
    assert len(measured.latency_ns) == 0
    assert measured.validity.reason == "latency was not asked for"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder"]


def test_samples_that_the_model_does_not_take_are_an_error(tmp_path: Path) -> None:
    samples = Samples({"image": slot.inputs(2)["image"]}, np.zeros(2, np.int64))
    with unpacked(slot.write_slot(tmp_path / "folder")) as endpoint, pytest.raises(ProbeError, match=r"bias\.npy'"):
        endpoint.measure(samples, None)


def test_the_fewest_instructions_that_were_counted_are_the_models(device: Local, make_bundle: MakeBundle) -> None:
    installation = flash(make_bundle("one"), device)
    runner = replace(installation.runner, transport=Simulated(device.url))
    endpoint = Installed(replace(installation, runner=runner))
    samples = _samples(3)
    measured = endpoint.measure(samples, QUICK)
    _check(measured, samples)
    for found in (measured, endpoint.speed(samples, QUICK)):
        assert found.instructions == min(Simulated.counts)
        assert len(found.latency_ns) == 0
        assert found.validity.reason == "an emulated device has no time of its own"
    assert endpoint.measure(samples, None).instructions is None


@pytest.mark.usefixtures("emulation")
def test_an_emulated_device_counts_instructions_and_has_no_latency(make_bundle: MakeBundle) -> None:
    samples = _samples(5)
    with faults.fresh(Catalog.default().target("raspberry-pi-5")) as fresh, fresh.connected() as device:
        installation = flash(make_bundle("one", "tflite", arch="aarch64"), device)
        measured = Installed(installation).measure(samples, QUICK)
    _check(measured, samples)
    assert (measured.instructions or 0) > 1000
    assert len(measured.latency_ns) == 0
    assert measured.validity.reason == "an emulated device has no time of its own"
    environment = measured.environment
    assert (environment.kind, environment.machine, environment.cpu) == ("emulated", "aarch64", "cortex-a76")
    assert not environment.host_stand_in


class Simulated(Local):
    """This machine in an emulated one's place: the model is run, and how many instructions it took is made up."""

    kind: ClassVar[DeviceKind] = "emulated"
    counts: ClassVar[list[int]] = [9000, 7000, 8000]

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if "instructions" not in argv:
            return super().run(argv, timeout=timeout)
        at = argv.index("--count")
        words = ["accuracy" if word == "instructions" else word for word in (*argv[:at], *argv[at + 2 :])]
        done = super().run(words, timeout=timeout)
        np.save(Path(argv[argv.index("--out") + 1]) / "instructions.npy", np.array(self.counts, np.int64))
        answer = json.loads(done.stdout) | {"count": len(self.counts)}
        answer = {name: value for name, value in answer.items() if name not in ("outputs", "answered_ns")}
        return Completed(done.argv, json.dumps(answer), done.stderr, done.returncode)


class Killed(Local):
    """The runner dies half-way through a latency run."""

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if "latency" in argv:
            argv = [self.python, "-c", "import os; os.kill(os.getpid(), 9)"]
        return super().run(argv, timeout=timeout)


class Counting(Local):
    """Counts the samples of each shard that it is asked for."""

    asked: ClassVar[list[int]] = []

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if "accuracy" in argv:
            self.asked.append(len(np.load(Path(argv[argv.index("--inputs") + 1]) / "image.npy")))
        return super().run(argv, timeout=timeout)


class Unplugged(Local):
    """A device that goes away at the fourth shard."""

    asked: ClassVar[int] = 0

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        Unplugged.asked += "accuracy" in argv
        if Unplugged.asked > 3:
            raise Unreachable(f"no answer from '{self.url}'")
        return super().run(argv, timeout=timeout)


class Small(Local):
    """Keeps what it has of shards whenever more of one comes."""

    held: ClassVar[list[set[str]]] = []

    def push(self, local: Path, remote: PurePosixPath) -> None:
        if remote.parent.name == "shard":
            self.held.append({path.name for path in Path(remote).parent.glob("*")})
        super().push(local, remote)


class Garbling(Local):
    """One bit of what is sent arrives as another."""

    def push(self, local: Path, remote: PurePosixPath) -> None:
        if remote.parts[-2:] == ("shard", "image.npy"):
            content = bytearray(local.read_bytes())
            content[-1] ^= 1
            local.write_bytes(content)
        super().push(local, remote)


class Damaging(Local):
    """What comes back is not what was sent."""

    def pull(self, remote: object, local: Path, limit: int = 0) -> None:
        local.parent.mkdir(parents=True, exist_ok=True)
        local.write_bytes(b"no array")


class Impatient(Local):
    """A device on which a latency run never ends, and a host that does not wait for long."""

    note: ClassVar[str] = ""
    limit_s: ClassVar[float] = 2

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        if "latency" in argv:
            script = "import os, signal, sys; open(sys.argv[1], 'w').write(str(os.getpid())); signal.pause()"
            argv, timeout = [self.python, "-c", script, self.note], self.limit_s
        return super().run(argv, timeout=timeout)


@pytest.mark.parametrize(
    ("transport", "said"), [(Killed, "the runner was ended by signal 9"), (Damaging, "came back damaged")]
)
def test_a_run_that_fails_is_an_error(
    device: Local, make_bundle: MakeBundle, transport: type[Local], said: str
) -> None:
    installation = flash(make_bundle("one"), transport(device.url))
    with pytest.raises(ProbeError, match=said):
        Installed(installation).measure(_samples(2), QUICK)
    assert not list((Path(device.root) / "probe").iterdir())


def test_a_run_that_never_ends_is_stopped(
    device: Local, make_bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Impatient, "note", str(tmp_path / "note"))
    installation = flash(make_bundle("one"), Impatient(device.url))

    def measured(limit_s: float) -> None:
        monkeypatch.setattr(Impatient, "limit_s", limit_s)
        Installed(installation).measure(_samples(2), QUICK)

    stopped(measured, tmp_path / "note")
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "note").read_text()), 0)
