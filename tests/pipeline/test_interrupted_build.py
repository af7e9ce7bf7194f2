"""A build that is stopped, at whatever moment, stops at once and leaves nothing half-written and nobody running."""

from __future__ import annotations

import json
import os
import signal
import sys
from functools import partial
from pathlib import Path

import pytest

from edgekit.backends.lowering_process import Lowering
from tests import failing_converters as stalling
from tests.command_line import edgekit, edgekit_here, end, start
from tests.conftest import Built, Command
from tests.failing_converters import MARK, STARTED, gone, marked, until, whole
from tests.networks import write_project

pytestmark = pytest.mark.builds

ONNX = ("--target", "host", "--backend", "onnx", "--profile", "float32")
STALL = ("--target", "bench", "--backend", "stalling")
# Sends the command a signal at a moment that Python itself announces: an import, a file that is opened, a process.
STOPPER = """
import os, signal, sys
event, fragment, number = os.environ["EDGEKIT_TEST_STOP"].split("|")
sent = []
shown = os.getpid()  # whom a user sees and kills: the supervisor, where this is the fork that does the work


def send():
    os.kill(shown if int(number) == signal.SIGKILL else os.getpid(), int(number))


class Swallow:
    def __del__(self):  # Python drops what is raised in here
        send()


def stop(name, args):
    if name == event and fragment in str(args[:2]) and not sent:
        sent.append(name)
        if "EDGEKIT_TEST_SWALLOW" in os.environ:
            Swallow()
        else:
            send()


if "edgekit.cli" in sys.orig_argv:
    sys.addaudithook(stop)
"""
MOMENTS = {
    "the commands are imported": ("import", "edgekit.pipeline.stages.precompile_worker"),
    "the converter is started": ("subprocess.Popen", sys.executable),
    "torch is imported": ("import", "torch._C"),
    "the model is made": ("open", "model.py"),
    "the data is read": ("open", "data.npz"),
    "the program is kept": ("open", "program.pt2"),
}
LATE = {
    "the bundle is written": ("open", ".edgekit"),
    "the report is written": ("open", "report.json"),
}
"""Moments after the last stage: what was made before is in the cache, and no converter is waited for."""


def stopping(folder: Path, event: str, fragment: str, number: signal.Signals) -> dict[str, str]:
    """An environment in which the command is stopped at that moment, and in which everything it starts is marked."""
    site = folder / "stopper"
    site.mkdir()
    (site / "sitecustomize.py").write_text(STOPPER)
    return {"PYTHONPATH": str(site), "EDGEKIT_TEST_STOP": f"{event}|{fragment}|{int(number)}", MARK: str(folder)}


@pytest.mark.parametrize("moment", MOMENTS)
def test_stopped_at_any_moment_a_build_leaves_nothing(tmp_path: Path, moment: str) -> None:
    number = signal.SIGTERM if list(MOMENTS).index(moment) % 2 else signal.SIGINT
    project, out, cache = write_project(tmp_path / "project", samples=8), tmp_path / "out", tmp_path / "cache"
    env = {"EDGEKIT_CACHE": str(cache)}
    argv = ("build", "--project", project, *ONNX, "--out", out)
    refusal = edgekit(*argv, env=env | stopping(tmp_path, *MOMENTS[moment], number)).refused("EK504", 3)
    assert "hint: run it again" in refusal
    assert gone(str(tmp_path))
    assert not out.exists()
    assert whole(cache)


@pytest.mark.parametrize("moment", LATE)
def test_stopped_after_its_last_stage_a_build_leaves_nothing(
    built: Built, places: dict[str, str], tmp_path: Path, moment: str
) -> None:
    out = tmp_path / "out"
    env = stopping(tmp_path, *LATE[moment], signal.SIGTERM)
    refusal = edgekit("build", *built.options, "--out", out, env=env).refused("EK504", 3)
    assert "hint: run it again" in refusal
    assert gone(str(tmp_path))
    assert not out.exists()
    assert whole(Path(places["EDGEKIT_CACHE"]))


def test_a_signal_that_python_swallows_stops_the_build_before_its_next_stage(tmp_path: Path) -> None:
    project, out = write_project(tmp_path / "project", samples=8), tmp_path / "out"
    env = stopping(tmp_path, "import", "edgekit.pipeline.stages.precompile_worker", signal.SIGINT) | {
        "EDGEKIT_TEST_SWALLOW": "1"
    }
    ended = edgekit("build", "--project", project, *ONNX, "--out", out, env=env)
    assert "Exception ignored in: <function Swallow.__del__" in ended.err
    assert ended.err.count("error EK504: ") == 1
    assert (ended.code, ended.out) == (3, "")
    assert not out.exists()


def test_after_a_stop_the_same_build_goes_on_from_there(tmp_path: Path) -> None:
    project, out, cache = write_project(tmp_path / "project", samples=8), tmp_path / "out", tmp_path / "cache"
    env = {"EDGEKIT_CACHE": str(cache)}
    argv = ("build", "--project", project, *ONNX, "--out", out, "--json")
    edgekit(*argv, env=env | stopping(tmp_path, "open", "artifact.json", signal.SIGINT)).refused("EK504", 3)
    assert gone(str(tmp_path))
    assert not out.exists()
    assert whole(cache)
    ended = edgekit_here(*argv, env=env)
    assert ended.code in (0, 1), ended.err
    stages = {stage["name"]: stage["cached"] for stage in ended.document["reports"][0]["stages"]}
    assert (stages["capture"], stages["lower"]) == (True, True)
    assert list((cache / "partial").iterdir()) == []
    assert sorted(path.suffix for path in out.iterdir()) == [
        ".csv",
        ".edgekit",
        ".json",
        ".json",
        ".json",
        ".json",
        ".md",
        ".npz",
        ".npz",
    ]


def test_a_stopped_rebuild_leaves_the_bundle_that_was_there(built: Built, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in built.out.iterdir()}
    env = stopping(tmp_path, "open", "report.json", signal.SIGINT)
    edgekit("build", *built.options, "--out", built.out, env=env).refused("EK504", 3)
    assert {path: path.read_bytes() for path in built.out.iterdir()} == before


def test_a_run_that_is_stopped_takes_back_what_it_flashed(built: Built, tmp_path: Path) -> None:
    device, out = tmp_path / "device", tmp_path / "out"
    env = stopping(tmp_path, "open", "latency_ns.npy", signal.SIGINT)
    quick = ("--set", "profile.probe.min_duration_s=0", "--set", "profile.probe.min_count=1")
    argv = ("run", *built.options, *quick, "--device", f"local://{device}", "--out", out)
    edgekit(*argv, env=env).refused("EK504", 3)
    assert gone(str(tmp_path))
    assert not out.exists()
    assert not (device / "current").exists()
    state = json.loads((device / "state.json").read_text())
    assert [event["verdict"] for event in state["history"]] == ["staged", "trial", "rolled back"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stalling.install(tmp_path_factory.mktemp("site"))


@pytest.fixture
def plugged(site: Path, tmp_path: Path) -> dict[str, str]:
    """An environment with the converters that do not work, and a cache of its own."""
    return {
        "PYTHONPATH": str(site),
        "EDGEKIT_CACHE": str(tmp_path / "cache"),
        MARK: str(tmp_path),
        STARTED: str(tmp_path / "started"),
    }


def test_a_build_that_waits_for_its_converter_is_stopped_at_once_and_nobody_else_may_write_there(
    plugged: dict[str, str], tmp_path: Path
) -> None:
    project, out = stalling.project(tmp_path / "project"), tmp_path / "out"
    argv = ("build", "--project", project, *STALL, "--out", out)
    first = start(*argv, env=plugged)
    assert until((tmp_path / "started").exists)
    refusal = edgekit(*argv, env=plugged).refused("EK502", 3)
    assert f"another edgekit is writing to '{out}'" in refusal
    assert "--out another folder" in refusal
    assert first.poll() is None
    first.send_signal(signal.SIGINT)
    end(first).refused("EK504", 3)
    assert gone(str(tmp_path))
    assert not out.exists()
    assert whole(tmp_path / "cache")


def test_builds_side_by_side_are_stopped_together(plugged: dict[str, str], tmp_path: Path) -> None:
    every = ("--target", "all", "--profile", "bench", "--backend", "stalling", "--jobs", 2)
    first = start("build", "--project", stalling.project(tmp_path / "project"), *every, env=plugged, cwd=tmp_path)
    assert until((tmp_path / "started").exists)
    assert len(marked(str(tmp_path))) > 3
    first.send_signal(signal.SIGTERM)
    end(first).refused("EK504", 3)
    assert gone(str(tmp_path))
    assert not (tmp_path / "edgekit-out").exists()


def test_a_converter_dies_with_a_build_that_is_killed(
    plugged: dict[str, str], places: dict[str, str], tmp_path: Path
) -> None:
    # The session's cache: there is a converter of its builds for the next one.
    project, out, cache = stalling.project(tmp_path / "project"), tmp_path / "out", Path(places["EDGEKIT_CACHE"])
    first = start("build", "--project", project, *STALL, "--out", out, env={**plugged, **places})
    assert until((tmp_path / "started").exists)
    assert len(marked(str(tmp_path))) == 4  # the command, its supervisor, its converter, the fork of it that converts
    first.kill()
    end(first)
    assert gone(str(tmp_path))
    # What it could not clean up is in nobody's way, and gone with the next build.
    ended = edgekit_here("build", "--project", project, *ONNX, "--out", out, env=places)
    assert ended.code in (0, 1), ended.err
    assert [path.name for path in out.iterdir() if path.name.startswith(".")] == []
    assert list((cache / "partial").iterdir()) == []
    assert whole(cache)


@pytest.fixture
def here(plugged: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same in this process."""
    monkeypatch.syspath_prepend(plugged["PYTHONPATH"])
    path = os.pathsep.join(filter(None, (plugged["PYTHONPATH"], os.environ.get("PYTHONPATH"))))
    for name, value in (plugged | {"PYTHONPATH": path}).items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("here")
def test_a_converter_that_hangs_is_stopped(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgekit.pipeline.stages.compile.Lowering", partial(Lowering, timeout_s=4.0))
    project, out = stalling.project(tmp_path / "project"), tmp_path / "out"
    refusal = command("build", "--project", project, *STALL, "--out", out).refused("EK207", 3)
    assert "backend 'stalling' did not finish within 4 s and was stopped" in refusal
    assert gone(str(tmp_path))
    assert not out.exists()
    assert whole(tmp_path / "cache")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("backend", "words"),
    [
        ("dying", "the converter process was killed by SIGSEGV; it wrote: "),
        ("failing", "the converter process ended with status 1; it wrote: "),
    ],
)
def test_a_converter_that_dies_is_quoted(command: Command, tmp_path: Path, backend: str, words: str) -> None:
    project, out = stalling.project(tmp_path / "project"), tmp_path / "out"
    argv = ("build", "--project", project, "--target", "bench", "--backend", backend)
    refusal = command(*argv, "--out", out).refused("EK205", 3)
    assert words in refusal
    assert ("about to fall" if backend == "dying" else "ValueError: three is not two") in refusal
    assert gone(str(tmp_path))
    assert not out.exists()
    assert whole(tmp_path / "cache")


def test_two_builds_at_once_share_a_cache_and_agree(tmp_path: Path, places: dict[str, str]) -> None:
    project = write_project(tmp_path / "project", samples=8)
    env = {"EDGEKIT_CACHE": str(tmp_path / "cache")}
    outs = [tmp_path / "first", tmp_path / "second"]
    both = [start("build", "--project", project, *ONNX, "--out", out, env=env) for out in outs]
    ended = [end(process) for process in both]
    assert {each.code for each in ended} <= {0, 1}, [each.err for each in ended]
    first, second = (next(out.glob("*.edgekit")).read_bytes() for out in outs)
    assert first == second
    assert whole(tmp_path / "cache")
    assert list((tmp_path / "cache" / "partial").iterdir()) == []
