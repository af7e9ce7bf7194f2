"""The engine of a slot, built by a stand-in for trtexec: no test here has a GPU."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from edgekit.runner.errors import RunnerError
from edgekit.runner.verbs.build_engine import engine
from tests.runner.conftest import Bare
from tests.runner.nvidia_programs import PLAN, builds, gpu_on_path, put_gpu, put_trtexec
from tests.runner.slot import list_files, write_slot

# Not by anything of ours, but by what other tests of this process may have imported: on a device nothing is.
pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on PATH, with a GPU and no TensorRT in it."""
    return gpu_on_path(tmp_path / "bin", monkeypatch)


def slot_in(root: Path, name: str = "a", **changed: Any) -> Path:
    """A slot whose plan is PLAN with what is `changed`."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "engine.json").write_text(json.dumps({**PLAN, **changed}))
    return write_slot(folder)


def built(slot: Path, limit_s: float = 60) -> dict[str, Any]:
    """As `slots install --engine` builds it, once the slot is filled."""
    return engine(slot, limit_s)


def engines(root: Path) -> list[str]:
    return sorted(folder.name for folder in (root / "engines").glob("*"))


def test_the_engine_is_built_by_the_plan_and_kept_beside_the_slots(tools: Path, tmp_path: Path) -> None:
    log, slot = put_trtexec(tools), slot_in(tmp_path / "root")
    answer = built(slot)
    assert (answer["built"], answer["tensorrt"], answer["gpu"], answer["why"]) == (True, "8.6.1", "Orin", None)
    folder = Path(answer["engine"])
    assert folder.parent == tmp_path / "root" / "engines"
    assert (folder / "engine.plan").read_bytes() == b"engine of 8601"
    (argv,) = builds(log)
    assert argv[0] == f"--onnx={slot / 'model.onnx'}"
    assert argv[2:] == PLAN["trtexec"][2:]
    assert not Path(argv[1].partition("=")[2]).exists(), "it was built elsewhere, then moved"
    assert engines(tmp_path / "root") == [folder.name]


def test_the_same_model_is_built_once_whatever_slot_it_is_in(tools: Path, tmp_path: Path) -> None:
    log = put_trtexec(tools)
    first = built(slot_in(tmp_path / "root", "a"))
    second = built(slot_in(tmp_path / "root", "b"))
    assert (second["built"], second["engine"]) == (False, first["engine"])
    assert len(builds(log)) == 1


@pytest.mark.parametrize("change", ["tensorrt", "gpu", "plan"])
def test_what_the_engine_is_tied_to_makes_another_and_the_old_one_goes(
    tools: Path, tmp_path: Path, change: str
) -> None:
    log, slot = put_trtexec(tools), slot_in(tmp_path / "root")
    first = built(slot)
    if change == "tensorrt":
        put_trtexec(tools, "100300")
    if change == "gpu":
        put_gpu(tools, "Thor")
    if change == "plan":
        (slot / "engine.json").write_text(json.dumps({**PLAN, "workspace_mb": 512}))
        list_files(slot, json.loads((slot / "manifest.json").read_text()))
    second = built(slot)
    assert second["built"]
    assert second["engine"] != first["engine"]
    assert engines(tmp_path / "root") == [Path(second["engine"]).name]
    assert len(builds(log)) == 2


def test_the_engine_of_the_other_slot_stays(tools: Path, tmp_path: Path) -> None:
    put_trtexec(tools)
    kept = built(slot_in(tmp_path / "root", "a"))
    built(slot_in(tmp_path / "root", "b", workspace_mb=512))
    assert Path(kept["engine"], "engine.plan").is_file()
    assert len(engines(tmp_path / "root")) == 2


def test_without_tensorrt_or_a_gpu_nothing_is_built_and_why_is_said(tools: Path, tmp_path: Path) -> None:
    slot = slot_in(tmp_path / "root")
    assert "neither onnxruntime-gpu nor trtexec" in built(slot)["why"]
    put_trtexec(tools, "110000")
    assert built(slot)["why"] == "the bundle's plan is not for TensorRT 11.0.0"
    put_gpu(tools, "")
    assert built(slot)["why"] == "there is no NVIDIA GPU"
    assert built(write_slot_without_plan(tmp_path / "plain"))["why"] == "the bundle has no engine plan"
    assert engines(tmp_path / "root") == []


def write_slot_without_plan(folder: Path) -> Path:
    folder.mkdir()
    return write_slot(folder)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("print('out of memory'); sys.exit(1)", "exit 1: "),
        ("sys.exit(0)", "trtexec built no engine, exit 0"),
        ("pathlib.Path(given['--saveEngine']).write_bytes(b''); sys.exit(0)", "trtexec built no engine, exit 0"),
        ("print('x' * 10_000_000); sys.exit(3)", "exit 3"),
    ],
)
def test_a_build_that_failed_leaves_nothing_and_the_next_one_tries_again(
    tools: Path, tmp_path: Path, body: str, said: str
) -> None:
    put_trtexec(tools, body=body)
    slot = slot_in(tmp_path / "root")
    answer = built(slot)
    assert (answer["engine"], answer["built"]) == (None, False)
    assert said in answer["why"]
    assert len(answer["why"]) < 5000
    assert engines(tmp_path / "root") == []
    put_trtexec(tools)
    assert built(slot)["built"]


def test_past_its_limit_it_is_killed_with_its_children(tools: Path, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    child = (
        f"child = subprocess.Popen(['sleep', '300']); pathlib.Path('{pid}').write_text(str(child.pid)); child.wait()"
    )
    put_trtexec(tools, body=child)
    started = time.monotonic()
    answer = built(slot_in(tmp_path / "root"), limit_s=2)
    assert time.monotonic() - started < 30
    assert answer["why"] == "trtexec was ended by signal 9, its limit is 2 s"
    assert _is_gone(int(pid.read_text()))


def test_a_folder_that_a_crash_left_is_no_engine(tools: Path, tmp_path: Path) -> None:
    put_trtexec(tools)
    slot = slot_in(tmp_path / "root")
    folder = Path(built(slot)["engine"])
    (folder / "built.json").unlink()
    (folder.parent / f"{folder.name}.partial").mkdir()
    assert built(slot)["built"]
    assert engines(tmp_path / "root") == [folder.name]


@pytest.mark.parametrize("argument", ["--plugins=/tmp/x.so", "--exportProfile=/etc/x", "--onnx=/etc/passwd", "-h"])
def test_a_plan_that_asks_for_more_than_a_build_is_refused(tools: Path, tmp_path: Path, argument: str) -> None:
    log = put_trtexec(tools)
    slot = slot_in(tmp_path / "root", trtexec=[*PLAN["trtexec"], argument])
    with pytest.raises(RunnerError, match=re.escape(argument)) as refused:
        built(slot)
    assert refused.value.kind == "data"
    assert builds(log) == []


def test_this_machine_runs_the_model_on_the_cpu_and_says_what_was_planned(bare: Bare, tmp_path: Path) -> None:
    planned = bare.ask("selftest", slot_in(tmp_path / "root")).document
    assert planned["passed"]
    assert (planned["provider"], planned["planned_provider"]) == ("cpu", "tensorrt")
    plain = bare.ask("selftest", write_slot_without_plan(tmp_path / "plain")).document
    assert (plain["provider"], plain["planned_provider"]) == ("cpu", None)


def _is_gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"
