"""What is typed or written wrongly is refused at once: exit 2, a code, a hint, and nothing made."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.command_line import COMMAND, Ended, environment
from tests.conftest import Built, Command
from tests.networks import TOML, substitute, write_project

PIXELS = np.zeros((16, 8, 8, 3), np.uint8)
LABELS = np.arange(16) % 4
FLOAT = np.zeros((16, 3, 8, 8), np.float32)
FLOATS = substitute("preprocess = {", "# ", TOML)
LOADER = substitute('path = "data.npz"', 'loader = "data.py:load"', TOML)


@pytest.mark.parametrize(
    ("argv", "code", "words"),
    [
        (
            ("--target", "raspbery-pi"),
            "EK102",
            "no target is named 'raspbery-pi'\n  hint: did you mean 'raspberry-pi'?",
        ),
        (
            ("--target", "host", "--profile", "host-int4"),
            "EK102",
            "no profile is named 'host-int4'\n  hint: did you mean",
        ),
        (("--target", "host", "--backend", "onx"), "EK102", "has no backend 'onx'\n  hint: did you mean 'onnx'?"),
        (("--target", "host", "--key", "mine"), "EK102", "no key is named 'mine'\n  hint: edgekit keys new mine"),
        (("--target", "host", "--example", "digits"), "EK100", "--project and --example were both given"),
        (("--target", "host", "--profile", "jetson-int8"), "EK103", "hint: edgekit profiles --family host"),
        (("--target", "host", "--set", "profile.gates.agrement.min=1"), "EK101", "hint: did you mean 'agreement'?"),
        (("--target", "host", "--set", "profil.gates.agreement.min=1"), "EK104", "hint: did you mean 'profile'?"),
        (("--target", "host", "--set", "profile.gates"), "EK104", "is not KEY=VALUE"),
    ],
    ids=lambda value: value[-1] if isinstance(value, tuple) else "",
)
def test_what_is_not_known_is_told_the_nearest(
    command: Command, project_folder: Path, tmp_path: Path, argv: tuple[str, ...], code: str, words: str
) -> None:
    said = command("build", "--project", project_folder, "--out", tmp_path / "out", *argv).refused(code, 2)
    assert words in said
    assert not (tmp_path / "out").exists()


def test_an_unknown_example_is_told_the_nearest(command: Command) -> None:
    said = command("plan", "--example", "digit", "--target", "host").refused("EK102", 2)
    assert "hint: did you mean 'digits'?" in said


def test_a_folder_without_a_project_is_refused_with_a_way_on(command: Command, tmp_path: Path) -> None:
    said = command("build", "--project", tmp_path, "--target", "host").refused("EK101", 2)
    assert "--example digits" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [("--jobs", "many"), ("--samples", "0"), ("--job", "2"), ("--target", None)],
)
def test_an_option_that_cannot_be_is_bad_usage(command: Command, small: Path, name: str, value: str | None) -> None:
    target = () if name == "--target" else ("--target", "host", name, value)
    ended = command("build", "--project", small, *target)
    assert (ended.code, ended.out) == (2, "")
    assert name in ended.err


def arrays(folder: Path, toml: str = TOML, **changed: np.ndarray | None) -> Path:
    """A project with other arrays."""
    project = write_project(folder / "bad", toml=toml)
    columns = {"image": PIXELS, "labels": LABELS} | changed
    save: Callable[..., None] = np.savez
    save(project / "data.npz", **{name: array for name, array in columns.items() if array is not None})
    return project


def loaded(folder: Path, code: str) -> Path:
    """A project with a loader of its own."""
    project = arrays(folder, LOADER)
    (project / "data.py").write_text(code)
    return project


def truncated(folder: Path) -> Path:
    project = arrays(folder)
    file = project / "data.npz"
    file.write_bytes(file.read_bytes()[:500])
    return project


BAD_DATA: dict[str, tuple[Callable[[Path], Path], str]] = {
    "empty": (lambda f: arrays(f, image=PIXELS[:0], labels=LABELS[:0]), "the evaluation data of 'bad' is empty"),
    "shape": (lambda f: arrays(f, image=PIXELS[:, :7]), "has shape [7, 8, 3], the project states [8, 8, 3]"),
    "dtype": (lambda f: arrays(f, image=PIXELS.astype(np.float32)), "is float32, the project states uint8"),
    "nan": (lambda f: arrays(f, FLOATS, image=np.full_like(FLOAT, np.nan)), "sample 0: 'image' holds NaN"),
    "infinite": (lambda f: arrays(f, FLOATS, image=np.full_like(FLOAT, np.inf)), "or infinite values"),
    "label too large": (lambda f: arrays(f, labels=np.arange(16)), "label 4 of sample 4 is outside 0 to 3"),
    "label below 0": (lambda f: arrays(f, labels=np.arange(16) - 5), "label -5 of sample 0 is outside 0 to 3"),
    "label in words": (lambda f: arrays(f, labels=np.array(list("abcdefghijklmnop"))), "labels are <U1, not numbers"),
    "fewer labels": (lambda f: arrays(f, labels=LABELS[:8]), "'image' has 16 rows, 'labels' has 8"),
    "no labels": (lambda f: arrays(f, labels=None), "'data.npz' cannot be read: it has no array 'labels'"),
    "no input": (lambda f: arrays(f, image=None), "'data.npz' cannot be read: it has no array 'image'"),
    "truncated": (truncated, "'data.npz' cannot be read: it is no whole .npz archive"),
    "missing": (lambda f: arrays(f, substitute("data.npz", "none.npz", TOML)), "there is no 'none.npz'"),
    "unknown ending": (lambda f: arrays(f, substitute("data.npz", "model.py", TOML)), "'model.py' is neither .npz"),
    "not stated": (lambda f: arrays(f, substitute("calibration =", "training =", TOML)), "states no calibration data"),
    "loader raises": (lambda f: loaded(f, "def load():\n    raise OSError"), "'data.py:load' failed: OSError"),
    "loader exits": (lambda f: loaded(f, "def load():\n    raise SystemExit"), "'data.py:load' failed: SystemExit"),
    "loader of nothing": (lambda f: loaded(f, "def load():\n    return None"), "'data.py:load' failed: TypeError"),
    "no pairs": (lambda f: loaded(f, "def load():\n    return [1, 2]"), "sample 0 cannot be read: TypeError"),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_DATA)
def test_bad_data_is_refused_with_the_set_and_the_sample(command: Command, tmp_path: Path, kind: str) -> None:
    make, words = BAD_DATA[kind]
    argv = ("build", "--project", make(tmp_path), "--target", "host", "--backend", "onnx", "--out", tmp_path / "out")
    assert words in command(*argv).refused("EK105", 2)
    assert not (tmp_path / "out").exists()


def test_evaluation_data_is_held_to_the_same(command: Command, tmp_path: Path) -> None:
    apart = substitute('evaluation = { path = "data.npz"', 'evaluation = { path = "other.npz"', TOML)
    project = arrays(tmp_path, apart)
    np.savez(project / "other.npz", image=PIXELS, labels=LABELS + 1)
    argv = ("build", "--project", project, "--target", "host", "--backend", "onnx", "--out", tmp_path / "out")
    assert "the evaluation data of 'bad': label 4" in command(*argv).refused("EK105", 2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("content", ["1 / 0", "NAMES = 5", "raise SystemExit(0)", "names = []"])
def test_classes_that_cannot_be_read_are_refused(command: Command, tmp_path: Path, content: str) -> None:
    project = arrays(tmp_path, substitute('["a", "b", "c", "d"]', '"names.py:NAMES"', TOML))
    (project / "names.py").write_text(content)
    ended = command("build", "--project", project, "--target", "host", "--out", tmp_path / "out")
    assert ended.code in (2, 3)
    assert ended.out == ""
    assert "names.py" in ended.err
    assert "hint:" in ended.err
    assert "EK000" not in ended.err


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_an_output_folder_that_cannot_be_is_refused(command: Command, built: Built, tmp_path: Path, where: str) -> None:
    (tmp_path / "file").write_text("kept")
    assert "be written: " in command("build", *built.options, "--out", tmp_path / where).refused("EK503", 3)
    assert (tmp_path / "file").read_text() == "kept"


@pytest.mark.parametrize("where", ["file", "file/below"])
def test_a_cache_that_cannot_be_is_refused(
    command: Command, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    (tmp_path / "file").write_text("kept")
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / where))
    said = command("build", *built.options, "--out", tmp_path / "out").refused("EK503", 3)
    assert "hint: EDGEKIT_CACHE and EDGEKIT_DOWNLOADS name other folders" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "words"), [("report.pdf", "has no known ending"), ("no/r.html", "there is no folder")]
)
def test_a_report_that_cannot_be_written_is_refused_before_the_run(
    command: Command, built: Built, tmp_path: Path, name: str, words: str
) -> None:
    argv = ("run", *built.options, "--device", f"local://{tmp_path}/device", "--out", tmp_path / "out")
    assert words in command(*argv, "--report", tmp_path / name).refused("EK104", 2)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_results_that_cannot_be_printed_are_an_error(small: Path) -> None:
    with Path("/dev/full").open("w") as full:
        argv = [*COMMAND, "plan", "--project", str(small), "--target", "host"]
        done = subprocess.run(argv, stdout=full, stderr=subprocess.PIPE, text=True, env=environment(), timeout=60)
    Ended(done.returncode, "", done.stderr).refused("EK503", 3)


def test_a_key_that_others_can_read_is_not_used(
    command: Command, built: Built, places: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = shutil.copytree(places["EDGEKIT_CONFIG"], tmp_path / "config")
    (Path(config) / "keys" / "default.key").chmod(0o644)
    monkeypatch.setenv("EDGEKIT_CONFIG", str(config))
    said = command("build", *built.options, "--out", tmp_path / "out").refused("EK108", 2)
    assert "hint: chmod 600" in said
