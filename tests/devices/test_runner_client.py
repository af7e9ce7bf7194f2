"""The runner's own file, as it is sent to a device."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edgekit.devices import runner_install
from edgekit.devices.local import Local
from edgekit.devices.runner_client import ERROR_KINDS, Runner, refusal
from edgekit.devices.runner_install import put_runner
from edgekit.devices.survey import survey
from edgekit.devices.transport import Completed
from edgekit.errors import SelfTestFailed

MODELS = ("data", "load", "run")
"""Kinds that are about the model: the failure of what was tried with it."""
NAMES = "import sys, zipfile; print(*zipfile.ZipFile(sys.argv[1]).namelist())"
IMPORTED = "import sys; sys.path.insert(0, sys.argv[1]); from runner.room.inside import INSIDE; print(INSIDE)"


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the runner's folder, which is what goes to devices."""
    folder = shutil.copytree(runner_install.SOURCE, tmp_path / "runner", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(runner_install, "SOURCE", folder)
    runner_install._packed.cache_clear()
    yield folder
    runner_install._packed.cache_clear()


def test_every_module_goes_to_a_device_whatever_folder_it_is_in(device: Local, source: Path) -> None:
    (source / "room").mkdir()
    (source / "room/__init__.py").touch()
    (source / "room/inside.py").write_text("from ..errors import RunnerError as INSIDE\n")
    runner, info = put_runner(device, (device.python,))
    assert info.python
    program = str(runner.program)
    names = device.run([device.python, "-c", NAMES, program], timeout=60).stdout.split()
    sent = {f"runner/{path.relative_to(source).as_posix()}" for path in source.rglob("*.py")}
    assert {name for name in names if name.endswith(".py")} == {"__main__.py", *sent}
    done = device.run([device.python, "-S", "-c", IMPORTED, program], timeout=60)
    assert (done.returncode, done.stdout.split()[-1]) == (0, "'runner.errors.RunnerError'>"), done.stderr


def test_a_survey_finds_the_runner_if_it_is_whole(device: Local, source: Path) -> None:
    assert not survey(device).has_runner
    program = Path(put_runner(device, (device.python,))[0].program)
    assert survey(device).has_runner
    program.write_bytes(program.read_bytes()[:-1])
    assert not survey(device).has_runner


def test_the_same_source_is_the_same_file_and_another_is_another(device: Local, source: Path) -> None:
    program = put_runner(device, (device.python,))[0].program
    runner_install._packed.cache_clear()
    assert put_runner(device, (device.python,))[0].program == program
    (source / "added.py").touch()
    runner_install._packed.cache_clear()
    assert put_runner(device, (device.python,))[0].program != program


@pytest.mark.parametrize("same", [True, False])
def test_the_host_compiles_for_a_python_of_its_own_bytecode_and_others_do_it_themselves(
    device: Local, source: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    if not same:
        monkeypatch.setattr(runner_install, "MAGIC", "print('of another version')")
    verbs: list[str] = []
    run = Runner._run

    def counted(runner: Runner, argv: tuple[object, ...], timeout: float) -> Completed:
        verbs.append(str(argv[0]))
        return run(runner, argv, timeout)

    monkeypatch.setattr(Runner, "_run", counted)
    program = Path(put_runner(device, (device.python,))[0].program)
    assert verbs == (["info"] if same else ["compile", "info"])
    assert program.with_suffix(".sum").read_text().strip() == hashlib.sha256(program.read_bytes()).hexdigest()
    assert sorted(path.name for path in program.parent.glob("*.pyz")) == (
        [program.name] if same else sorted([program.name, f"{program.stem}.source.pyz"])
    )
    with zipfile.ZipFile(program) as archive:
        assert "runner/errors.pyc" in archive.namelist()


@pytest.mark.parametrize("kind", ERROR_KINDS)
def test_every_kind_of_the_runners_errors_has_an_error_of_the_hosts(kind: str) -> None:
    document = {"error": "it went wrong", "kind": kind}
    error = refusal("local://", document, SelfTestFailed, ("slots", "install"))
    assert str(error) == "local://: it went wrong"
    assert type(error) is not SelfTestFailed or kind in ("counter", "system", "memory", "state", "usage", *MODELS)


@pytest.mark.parametrize("kind", ["", "another", None, 3, ["busy"], {"busy": 1}])
def test_a_kind_that_the_runner_does_not_have_is_the_failure_of_what_was_tried(kind: object) -> None:
    error = refusal("local://", {"error": "it went wrong", "kind": kind}, SelfTestFailed, ("slots", "install"))
    assert type(error) is SelfTestFailed


def test_hints_on_an_npu_are_not_those_on_gpus() -> None:
    argv = ("accuracy", "slot", "--accelerator", "qnn-htp")
    for kind in ("library", "driver", "adapter", "nan"):
        document = {"error": "it fails", "kind": kind}
        hint, on_gpu = (refusal("local://x", document, SelfTestFailed, each).hint for each in (argv, ("accuracy",)))
        assert hint
        assert "vulkan" not in hint
        assert hint != on_gpu
