"""Where the time goes, with the real runner and real runtimes on this machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import ClassVar

import numpy as np
import pytest

from edgekit.devices.flash import Installation, flash
from edgekit.devices.local import Local
from edgekit.devices.measurement_protocol import Traced, TracedOperator
from edgekit.devices.protocol import Info
from edgekit.devices.transport import PULL_BYTES, Completed, DeviceKind
from edgekit.errors import ProbeError, Unreachable
from edgekit.ir.artifact import Format
from edgekit.measure.device import operators as measure
from edgekit.measure.device.installed_bundle import unpacked
from edgekit.measure.device.operators import Operators, OperatorTime, chrome_trace, operators
from edgekit.measure.device.session import INFERENCE_S, START_S
from edgekit.samples import Samples
from tests.devices.conftest import MakeBundle
from tests.measure.unresponsive_device import Deaf
from tests.runner import slot

SAMPLES = Samples(slot.inputs(5), np.zeros(5, np.int64))


@pytest.mark.parametrize("format", slot.FORMATS)
def test_operators_and_the_rest_make_up_the_whole(device: Local, make_bundle: MakeBundle, format: Format) -> None:
    times = operators(flash(make_bundle("one", format), device), SAMPLES, count=20)
    assert (times.format, times.count, times.threads) == (format, 20, 1)
    assert times.others_ns >= 0
    assert sum(row.ns for row in times.rows) + times.others_ns == pytest.approx(times.whole_ns)
    assert sum(row.share for row in times.rows) <= 1
    first, second = times.top(2)
    assert first.ns >= second.ns == max(row.ns for row in times.rows if row is not first)
    assert {row.delegate for row in times.rows} == ({"cpu"} if format == "onnx" else {"xnnpack", None})
    assert not list((Path(device.root) / "probe").iterdir())


FOUND = Operators(
    format="tflite",
    runtime="ai-edge-litert 2.3.0",
    threads=1,
    count=4,
    rows=(
        OperatorTime("CAST #1", "CAST", None, 1000.0, 0.1),
        OperatorTime("Add (ND) #1", "Add (ND)", "xnnpack", 3000.0, 0.3),
        OperatorTime("CAST #2", "CAST", None, 1000.0, 0.1),
    ),
    whole_ns=10000.0,
    note="",
)


def test_fallback_is_a_share_of_the_operators_time() -> None:
    assert FOUND.fallback == pytest.approx(0.4)
    assert FOUND.others_ns == 5000
    assert replace(FOUND, rows=()).fallback is None


def test_a_trace_has_a_thread_a_delegate_and_one_operator_after_another() -> None:
    trace = json.loads(chrome_trace(FOUND))
    events = trace["traceEvents"]
    threads = {event["tid"]: event["args"]["name"] for event in events if event["name"] == "thread_name"}
    assert sorted(threads.values()) == ["fallback", "inference", "xnnpack"]
    lanes = [
        (event["name"], threads[event["tid"]], event["ts"], event["dur"]) for event in events if event["ph"] == "X"
    ]
    assert lanes == [
        ("inference", "inference", 0, 10),
        ("CAST #1", "fallback", 0, 1),
        ("Add (ND) #1", "xnnpack", 1, 3),
        ("CAST #2", "fallback", 4, 1),
    ]
    assert {event["pid"] for event in events} == {1}
    named = {"name": "process_name", "ph": "M", "pid": 1, "tid": 0, "args": {"name": "tflite by ai-edge-litert 2.3.0"}}
    assert events[0] == named
    assert {event["ph"] for event in events[1:4]} == {"M"}
    drawn = {event["name"]: event for event in events if event["ph"] == "X"}
    assert drawn["inference"]["args"] == {"count": 4, "threads": 1, "note": ""}
    assert drawn["CAST #2"]["args"] == {"kind": "CAST", "share": 0.1}
    assert (drawn["inference"]["cat"], drawn["CAST #2"]["cat"]) == ("tflite", "CAST")
    assert trace["displayTimeUnit"] == "ns"


TRACED = Traced(
    load_ns=1,
    first_ns=1,
    peak_rss_bytes=None,
    empty_rss_bytes=None,
    model_sha256="",
    runtime="r 1",
    provider=None,
    planned_provider=None,
    threads=2,
    count=5,
    info=Info(machine="m", system="s", cpu=None, cores=4, ram_bytes=None, python="3", runtimes={}),
    format="onnx",
    note="a note",
    operators=(
        TracedOperator(kind="Conv", name="a", delegate="cpu"),
        TracedOperator(kind="Add", name="b", delegate=None),
    ),
)


def test_times_are_means_of_the_middle_half() -> None:
    whole_ns, operator_ns = np.array([900, 100, 300, 200, 1]), np.array([[9, 9], [10, 5], [30, 15], [20, 10], [1, 1]])
    times = measure._summed(TRACED, whole_ns, operator_ns)
    assert times.whole_ns == 200
    assert [(row.name, row.kind, row.delegate, row.ns, row.share) for row in times.rows] == [
        ("a", "Conv", "cpu", 20, 0.1),
        ("b", "Add", None, 10, 0.05),
    ]
    assert (times.format, times.runtime, times.threads, times.count, times.note) == ("onnx", "r 1", 2, 5, "a note")
    unmeasured = measure._summed(TRACED, np.zeros(5, np.int64), np.zeros((5, 2), np.int64))
    assert {row.share for row in unmeasured.rows} == {0.0}


def test_a_trace_may_take_a_start_a_warm_up_and_its_inferences(device: Local, make_bundle: MakeBundle) -> None:
    deaf = Deaf(device.url)
    with pytest.raises(Unreachable):
        operators(flash(make_bundle("one"), deaf), SAMPLES)
    assert deaf.asked == [("--count 100 --threads 1", START_S + 108 * INFERENCE_S)]


def test_a_trace_of_fewer_inferences_than_were_asked_for_is_refused(device: Local, make_bundle: MakeBundle) -> None:
    class Lazy(Local):
        def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
            return super().run(["4" if word == "5" else word for word in argv], timeout=timeout)

    with pytest.raises(ProbeError, match="4 inferences were traced, and 5 were asked for"):
        operators(flash(make_bundle("one"), Lazy(device.url)), SAMPLES, count=5)


def test_what_a_disturbance_made_long_is_not_in_it(tmp_path: Path) -> None:
    class Disturbed(Local):
        """One inference in five took a second longer, most of it in the first operator."""

        def pull(self, remote: PurePosixPath, local: Path, limit: int = PULL_BYTES) -> None:
            super().pull(remote, local, limit)
            array = np.load(local)
            array[::5, ...] += 10**9
            np.save(local, array)

    with unpacked(slot.write_slot(tmp_path / "slot")) as endpoint:
        runner = replace(endpoint.installation.runner, transport=Disturbed(f"local://{tmp_path / 'device'}"))
        times = operators(replace(endpoint.installation, runner=runner), SAMPLES, count=20)
    assert times.whole_ns < 10**8


def test_the_time_of_a_clock_of_instructions_is_not_taken_for_time(device: Local, make_bundle: MakeBundle) -> None:
    class Emulated(Local):
        kind: ClassVar[DeviceKind] = "emulated"

    installation = flash(make_bundle("one"), device)
    runner = replace(installation.runner, transport=Emulated(device.url))
    emulated = Installation(runner, installation.slot, installation.digest, committed=False)
    with pytest.raises(ProbeError, match="no time of its own"):
        operators(emulated, SAMPLES)
