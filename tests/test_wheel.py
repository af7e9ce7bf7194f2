"""The light half: a wheel in an environment of its own, without torch, flashes, probes, compares and reports."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Protocol

import pytest

from tests.conftest import Built

pytestmark = pytest.mark.installs

CHECKOUT = Path(__file__).parents[1]
HEAVY = ("torch", "torchao", "executorch", "onnx", "litert_torch")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """edgekit as people install it, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    argv = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(argv, cwd=CHECKOUT, check=True, capture_output=True, timeout=120)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def light(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` of a virtual environment with the wheel and one runtime in it."""
    folder = tmp_path_factory.mktemp("light")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=120)
    # Python compiles what is imported: pip would do so for all of NumPy and ONNX Runtime.
    pip = [sys.executable, "-m", "pip", "--python", str(folder), "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--no-compile", f"edgekit[onnx] @ {wheel.as_uri()}"], check=True, timeout=300)
    return folder / "bin"


class Run(Protocol):
    """The installed command with these arguments: how it ended, once it did with exit `code`."""

    def __call__(self, *argv: object, code: int = 0) -> subprocess.CompletedProcess[str]: ...


@pytest.fixture
def run(light: Path, places: dict[str, str], tmp_path: Path) -> Run:
    """The installed command, away from the checkout, with nothing of it on any path."""

    def call(*argv: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        command = [str(light / "edgekit"), *map(str, argv)]
        env = {**places, "PATH": "/usr/bin:/bin"}
        ended = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=180, check=False)
        assert ended.returncode == code, ended.stderr
        return ended

    return call


def test_nothing_of_the_compiler_is_installed(light: Path) -> None:
    script = "import importlib.util, sys; print([n for n in sys.argv[1:] if importlib.util.find_spec(n)])"
    found = subprocess.run(
        [str(light / "python"), "-c", script, *HEAVY], check=True, capture_output=True, text=True, timeout=60
    )
    assert found.stdout.strip() == "[]"


def test_the_catalogue_is_in_the_wheel(run: Run) -> None:
    targets = json.loads(run("targets", "--json").stdout)["targets"]
    profiles = json.loads(run("profiles", "--json").stdout)["profiles"]
    assert {"raspberry-pi-5", "android-arm64", "jetson-orin-nano", "host"} <= {target["id"] for target in targets}
    assert "float32" in {profile["id"] for profile in profiles}


def test_a_bundle_built_elsewhere_is_inspected_planned_flashed_probed_and_compared(
    run: Run, built: Built, small: Path, tmp_path: Path
) -> None:
    assert json.loads(run("inspect", built.bundle, "--json").stdout)["manifest"]["format"] == "onnx"
    plan = json.loads(run("plan", "--project", small, "--target", "jetson", "--json").stdout)["plans"][0]
    assert plan["target"] == "jetson-orin-nano"
    device = f"local://{tmp_path / 'device'}"
    assert "committed" in run("flash", built.bundle, "--device", device).stdout
    probe = ("probe", "--device", device, "--project", small, "--min-duration", "0.1", "--min-count", "8")
    run(*probe, "--out", tmp_path / "now.json")
    compared = run("compare", built.out / "candidate.json", tmp_path / "now.json", "--json")
    assert json.loads(compared.stdout)["comparison"]["agreement"] == 1.0


def test_a_report_is_shown_in_every_form(run: Run, built: Built) -> None:
    for form in ("txt", "md", "html", "json"):
        assert "host" in run("report", built.out, "--format", form).stdout


def test_building_says_what_to_install(run: Run, small: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"  # another place: nothing of it is in the cache
    shutil.copytree(small, project)
    refused = run("build", "--project", project, "--target", "host", "--backend", "onnx", code=3)
    assert "EK501" in refused.stderr
    assert ".whl[build]'" in refused.stderr
    assert not (tmp_path / "edgekit-out").exists() or not any((tmp_path / "edgekit-out").rglob("*.edgekit"))
