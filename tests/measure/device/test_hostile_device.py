"""A device against its host: what it answers is what its model can answer, or nothing of it is taken."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from edgekit.cli.output import print_error
from edgekit.devices.device import connect
from edgekit.devices.flash import flash
from edgekit.devices.local import Local
from edgekit.devices.protocol import Info
from edgekit.devices.runner_install import install_runner
from edgekit.devices.transport import Completed
from edgekit.errors import AnswerMismatch, CommandFailed, DeviceError, EdgekitError, ProbeError
from edgekit.ir.measurement import Array
from edgekit.measure.device.installed_bundle import Installed, unpacked
from edgekit.measure.device.session import probe_session
from edgekit.samples import Samples
from edgekit.specs.profile import Probe
from tests.devices.conftest import MakeBundle
from tests.runner import slot

SAMPLES = Samples(slot.inputs(3), np.zeros(3, np.int64))
QUICK = Probe(min_count=20, min_duration_s=0, processes=1)
FAULTS = Path(__file__).parents[3].parent / "shared" / "faults" / "hostile"
Lie = Callable[[dict[str, Any], Path], object]


def saved(path: Path, array: Array) -> str:
    np.save(path, array)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def outside(answer: dict[str, Any], out: Path) -> None:
    answer["outputs"]["../../../beside/file"] = answer["outputs"].pop("scores")
    beside = out / "../../../beside"
    beside.mkdir(exist_ok=True)
    (out / "scores.npy").rename(beside / "file.npy")


def other_name(answer: dict[str, Any], out: Path) -> None:
    answer["outputs"]["more"] = saved(out / "more.npy", np.ones((3, 5), np.float32))


def missing(answer: dict[str, Any], out: Path) -> None:
    del answer["outputs"]["steps"]


def other_dtype(answer: dict[str, Any], out: Path) -> None:
    answer["outputs"]["scores"] = saved(out / "scores.npy", np.ones((3, 5), np.complex128))


def other_shape(answer: dict[str, Any], out: Path) -> None:
    answer["outputs"]["scores"] = saved(out / "scores.npy", np.ones((3, 5, 1), np.float32))


def fewer_rows(answer: dict[str, Any], out: Path) -> None:
    answer["outputs"]["scores"] = saved(out / "scores.npy", np.ones((2, 5), np.float32))


def no_number(answer: dict[str, Any], out: Path) -> None:
    answer["outputs"]["scores"] = saved(out / "scores.npy", np.full((3, 5), np.nan, np.float32))


def infinite(answer: dict[str, Any], out: Path) -> None:
    answer["outputs"]["steps"] = saved(out / "steps.npy", np.full((3, 5), -np.inf, np.float32))


def header_bomb(answer: dict[str, Any], out: Path) -> None:
    head = b"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 100000000000), }".ljust(117) + b"\n"
    content = b"\x93NUMPY\1\0" + len(head).to_bytes(2, "little") + head
    (out / "scores.npy").write_bytes(content)
    answer["outputs"]["scores"] = hashlib.sha256(content).hexdigest()


def endless(answer: dict[str, Any], out: Path) -> None:
    with (out / "scores.npy").open("r+b") as file:
        file.truncate(1 << 40)  # a hole: nothing is on the disk


class Lying(Local):
    """This machine as a device that answers honestly but for `lie`, to `verb`."""

    lie: ClassVar[Lie] = outside
    verb: ClassVar[str] = "accuracy"

    def run(self, argv: Sequence[str], *, timeout: float) -> Completed:
        done = super().run(argv, timeout=timeout)
        if not {self.verb, "info"} & set(argv) or not done.stdout.startswith("{"):
            return done
        out = Path(argv[argv.index("--out") + 1]) if "--out" in argv else Path()
        answer = json.loads(done.stdout)
        said = type(self).lie(answer, out)
        return Completed(done.argv, said if isinstance(said, str) else json.dumps(answer), done.stderr, done.returncode)


LIES: tuple[tuple[Lie, type[EdgekitError], str], ...] = (
    (outside, AnswerMismatch, "its manifest states scores"),
    (other_name, AnswerMismatch, "its manifest states scores"),
    (missing, AnswerMismatch, "it answered scores; its manifest states"),
    (other_dtype, AnswerMismatch, "is complex128"),
    (other_shape, AnswerMismatch, r"\[3, 5, 1\], and must be float32"),
    (fewer_rows, AnswerMismatch, r"\[2, 5\], and must be float32"),
    (no_number, AnswerMismatch, "output 'scores' is not finite for sample 0"),
    (infinite, AnswerMismatch, "output 'steps' is not finite for sample 0"),
    (header_bomb, ProbeError, "came back damaged: .* are not the float32"),
    (endless, CommandFailed, "at most were to come"),
)


def test_an_answer_that_the_model_cannot_give_is_refused_and_writes_nothing(
    device: Local, make_bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tmp_path / "host"
    host.mkdir()
    installation = flash(make_bundle("one"), Lying(device.url))
    monkeypatch.setattr("tempfile.tempdir", str(host))
    for lie, error, said in LIES:
        monkeypatch.setattr(Lying, "lie", staticmethod(lie))
        with pytest.raises(error, match=said):
            Installed(installation).measure(SAMPLES, None)
        assert not list(host.iterdir()), lie


def test_a_manifest_that_is_not_the_installed_one_is_noticed(device: Local, make_bundle: MakeBundle) -> None:
    installation = flash(make_bundle("one"), device)
    path = Path(installation.slot) / "manifest.json"
    path.write_text(path.read_text() + " ")
    with pytest.raises(AnswerMismatch, match="not the one of the bundle"):
        Installed(installation).measure(SAMPLES, None)


NONSENSE = (
    "[" * 1_000_000,
    '{"a":' * 200_000 + "1" + "}" * 200_000,
    '{"load_ns":' + "9" * 100_000 + "}",
    '{"load_ns": NaN}',
    '{"outputs": [' + "0," * 300_000 + "0]}",
    '{"error": {"a": [1]}, "kind": ["x"]}',
    '{"error": null}',
    "",
    "\n" * 1_000_000,
    '"\\ud800"',
)


def test_an_answer_that_makes_no_sense_has_a_code(device: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in NONSENSE:
        monkeypatch.setattr(Lying, "lie", staticmethod(lambda answer, out, text=text: text))
        runner = replace(install_runner(device, (sys.executable,)), transport=Lying(device.url))
        with pytest.raises(DeviceError) as refused:
            runner.ask(Info, "info", timeout=60)
        assert refused.value.code == "EK402", text[:20]


def test_numbers_that_nothing_measures_are_refused(
    device: Local, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes: tuple[dict[str, object], ...] = (
        {"load_ns": -5},
        {"load_ns": 10**400},
        {"first_ns": "1e999"},
        {"count": 0},
        {"count": 1 << 50},
        {"energy": {"joules": 1.0, "seconds": 0.0, "method": "x", "uncertainty": 0.0, "idle_watts": None}},
        {"runtime": "R" * 50_000},
    )
    installation = flash(make_bundle("one"), Lying(device.url))
    monkeypatch.setattr(Lying, "verb", "latency")
    for change in changes:
        monkeypatch.setattr(Lying, "lie", staticmethod(lambda answer, out, change=change: answer.update(change)))
        with pytest.raises(ProbeError):
            Installed(installation).speed(SAMPLES, QUICK)


@pytest.mark.parametrize(("least", "said"), [(0, None), (-1, "'latency_ns' holds -1")])
def test_no_latency_is_below_zero(
    device: Local, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch, least: int, said: str | None
) -> None:
    def lie(answer: dict[str, Any], out: Path) -> None:
        np.save(out / "latency_ns.npy", np.array([5, least, *range(1, 19)], np.int64)[: answer["count"]])
        answer["count"] = 20

    monkeypatch.setattr(Lying, "verb", "latency")
    monkeypatch.setattr(Lying, "lie", staticmethod(lie))
    endpoint = Installed(flash(make_bundle("one"), Lying(device.url)))
    if said is None:
        assert endpoint.speed(SAMPLES, QUICK).latency_ns.min() == 0
        return
    with pytest.raises(AnswerMismatch, match=said):
        endpoint.speed(SAMPLES, QUICK)


def test_no_more_latencies_are_fetched_than_a_model_of_microseconds_has(
    device: Local, make_bundle: MakeBundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lying, "verb", "latency")
    monkeypatch.setattr(Lying, "lie", staticmethod(lambda answer, out: answer.update(count=100)))
    endpoint = Installed(flash(make_bundle("one"), Lying(device.url)))
    monkeypatch.setattr("edgekit.measure.device.session.MAX_INTEGERS", 100)
    with pytest.raises(AnswerMismatch, match=r"'latency_ns' is int64\[20\], and must be int64\[100\]"):
        endpoint.speed(SAMPLES, QUICK)
    monkeypatch.setattr("edgekit.measure.device.session.MAX_INTEGERS", 99)
    with pytest.raises(AnswerMismatch, match=r"'latency_ns' would have \[100\] numbers"):
        endpoint.speed(SAMPLES, QUICK)


SCORES = {"name": "scores", "dtype": "float32", "shape": [1, 5], "affine": None}


@pytest.mark.parametrize(
    "change", [{"dtype": "complex64"}, {"dtype": "object"}, {"shape": []}, {"shape": [1, -5]}, {"name": None}]
)
def test_a_manifest_of_a_model_that_answers_no_numbers_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    with unpacked(slot.write_slot(tmp_path / "slot")) as endpoint, probe_session(endpoint.installation) as asked:
        path = Path(endpoint.installation.slot) / "manifest.json"
        manifest = json.loads(path.read_text())
        manifest["signature"]["outputs"] = [SCORES | change]
        path.write_text(json.dumps(manifest))
        asked.installation = replace(asked.installation, digest=hashlib.sha256(path.read_bytes()).hexdigest())
        with pytest.raises(AnswerMismatch, match="its manifest states no inputs and outputs"):
            _ = asked.signature


def test_words_of_a_device_are_cut_and_hold_no_escape(
    device: Local, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = "\x1b[2J\x1b]0;title\x07\x9b8m\u202e\0\nPASSED [bold green]x[/]" + "B" * 3_000_000
    said = json.dumps({"error": words, "kind": "run"})
    monkeypatch.setattr(Lying, "lie", staticmethod(lambda answer, out: said))
    runner = replace(install_runner(device, (sys.executable,)), transport=Lying(device.url))
    with pytest.raises(CommandFailed) as refused:
        runner.ask(Info, "info", timeout=60)
    print_error(refused.value)
    shown = capsys.readouterr().err
    assert all(letter.isprintable() or letter == "\n" for letter in shown)
    assert not any(line.startswith("PASSED") for line in shown.splitlines())
    assert "[bold green]" in shown
    assert len(shown) < 5000


MODES = "traverse overwrite nest nestobj bigint ansi errobj errnull hugeerr empty binary nan shape npybomb"


@pytest.mark.skipif(not FAULTS.is_dir(), reason="shared/faults is not beside this checkout")
def test_the_device_among_the_faults_ends_with_a_code_and_writes_nothing(
    make_bundle: MakeBundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host, root = tmp_path / "host", tmp_path / "there"
    for folder in (host, root):
        folder.mkdir()
    monkeypatch.setenv("PATH", f"{FAULTS}:{os.environ['PATH']}")
    monkeypatch.setenv("HONEST", sys.executable)
    with connect(f"ssh://x@y{root}") as device:
        installation = flash(make_bundle("one", arch=platform.machine()), device, "system")
        monkeypatch.setattr("tempfile.tempdir", str(host))
        for mode in MODES.split():
            monkeypatch.setenv("HOSTILE", mode)
            with pytest.raises(EdgekitError) as refused:
                Installed(installation).measure(SAMPLES, None)
            assert refused.value.code in ("EK402", "EK404", "EK413"), mode
            assert not list(host.iterdir()), mode
