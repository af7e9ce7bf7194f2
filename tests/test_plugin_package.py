"""`plugin/` is somebody else's package: installed by pip it is found, with nothing changed in edgekit for it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import edgekit
from tests.networks import write_project

pytestmark = pytest.mark.installs

PLUGIN = Path(__file__).parent / "plugin"

FOUND = """
import json
from edgekit import plugins
from edgekit.specs.catalog import Catalog

catalog = Catalog.default()
target = catalog.target("plain")
runtime, profile = target.select_runtime(), catalog.default_profile(target)
profile.check(target, runtime)
backend = plugins.load("backends", runtime.backend)()
print(json.dumps({
    "backends": plugins.names("backends"),
    "origin": plugins.distribution("backends", "plain-onnx"),
    "target": target.id,
    "profile": profile.id,
    "backend": backend.name,
    "preload": backend.preload,
    "built in": catalog.target("raspberry-pi").id,
}))
"""

METRIC = """
import json
import numpy as np
from edgekit import plugins

metric = plugins.load("metrics", "top-two")()
logits = {"output": np.array([[3.0, 2.0, 1.0], [3.0, 2.0, 1.0], [3.0, 2.0, 1.0]])}
labels = np.array([0, 1, 2])
metric.check(logits, labels)
print(json.dumps({"name": metric.name, "scores": metric.scores(logits, labels).tolist()}))
"""

METER = """
import json
import time
from dataclasses import asdict
from edgekit.measure.meter import check_reading, load_meter

meter = load_meter("wall")
meter.start()
time.sleep(0.05)
print(json.dumps(asdict(check_reading(meter.stop(), "wall"))))
"""

REFUSED = """
import json
from edgekit import plugins
from edgekit.errors import EdgekitError
from edgekit.specs.catalog import Catalog
try:
    {statement}
except EdgekitError as error:
    print(json.dumps({{"code": error.code, "message": str(error), "hint": error.hint}}))
"""


def install(source: Path, site: Path) -> None:
    """What `pip install` does, without the network."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    subprocess.run([*command, "--target", str(site), str(source)], check=True, capture_output=True)


def python(code: str, site: Path, cwd: Path) -> Any:
    """What `code` prints as JSON, in an interpreter of its own that has `site` on its path."""
    path = os.pathsep.join([str(site), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, cwd=cwd, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plug-in installed."""
    folder = tmp_path_factory.mktemp("site")
    install(shutil.copytree(PLUGIN, tmp_path_factory.mktemp("source") / "plugin"), folder)
    return folder


@pytest.fixture(scope="module")
def crowded(site: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with a second package beside it that registers the same names."""
    source = shutil.copytree(PLUGIN, tmp_path_factory.mktemp("fork") / "plugin")
    (source / "edgekit_plain").rename(source / "edgekit_fork")
    project = source / "pyproject.toml"
    text = project.read_text().replace("edgekit-plain", "edgekit-fork").replace("edgekit_plain", "edgekit_fork")
    project.write_text(text)
    folder = shutil.copytree(site, tmp_path_factory.mktemp("crowded") / "site")
    install(source, folder)
    return folder


def test_an_installed_package_brings_a_backend_a_board_and_a_recipe(site: Path, tmp_path: Path) -> None:
    ended = python(FOUND, site, tmp_path)
    assert {"onnx", "plain-onnx"} <= set(ended["backends"])
    assert ended["origin"] == ["edgekit-plain", "0.3.0"]
    assert (ended["target"], ended["profile"], ended["backend"]) == ("plain-board", "plain-float32", "plain-onnx")
    assert "onnxruntime" in ended["preload"]
    assert ended["built in"] == "raspberry-pi-5"


KIND = """
import json
from edgekit.specs.accelerator import AcceleratorChoice
print(json.dumps(AcceleratorChoice("gpu", ("kind=openvino", "device_type=CPU")).request("onnx").arguments()))
"""


def test_an_installed_package_brings_a_kind_of_accelerator(site: Path, tmp_path: Path) -> None:
    words = python(KIND, site, tmp_path)
    assert words[:2] == ["--accelerator", "openvino"]
    assert {"provider=OpenVINOExecutionProvider", "option.device_type=CPU"} <= set(words)


def test_an_installed_package_brings_a_metric(site: Path, tmp_path: Path) -> None:
    assert python(METRIC, site, tmp_path) == {"name": "top2", "scores": [1.0, 1.0, 0.0]}


def test_an_installed_package_brings_a_meter(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "watts").write_text("7.5")
    monkeypatch.setenv("EDGEKIT_WALL", str(tmp_path / "watts"))
    reading = python(METER, site, tmp_path)
    assert reading["seconds"] >= 0.05
    assert reading["joules"] == pytest.approx(7.5 * reading["seconds"])
    assert (reading["method"], reading["uncertainty"]) == ("wall meter", 0.02)


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("wal", "EK102", "no meter is named 'wal'"),
        ("wall", "EK404", "the wall meter does not answer"),
    ],
)
def test_a_meter_that_is_not_there_is_an_error(site: Path, tmp_path: Path, name: str, code: str, message: str) -> None:
    statement = f'from edgekit.measure.meter import load_meter; load_meter("{name}").start()'
    refusal = python(REFUSED.format(statement=statement), site, tmp_path)
    assert refusal["code"] == code
    assert refusal["message"].startswith(message)


def test_without_the_package_its_names_are_unknown(tmp_path: Path) -> None:
    refusal = python(REFUSED.format(statement='Catalog.default().target("plain-board")'), tmp_path, tmp_path)
    assert refusal["code"] == "EK102"
    assert refusal["message"] == "no target is named 'plain-board'"


def test_its_backend_refuses_what_its_board_cannot_run(site: Path, tmp_path: Path) -> None:
    statement = (
        'catalog = Catalog.default(); target = catalog.target("plain"); '
        'catalog.profile("host-int8").check(target, target.select_runtime())'
    )
    refusal = python(REFUSED.format(statement=statement), site, tmp_path)
    assert refusal["code"] == "EK103"
    assert "'plain-onnx' on 'plain-board' cannot run static-int8" in refusal["message"]


def test_a_build_for_its_board_goes_through_its_backend_and_its_metric(
    site: Path, places: dict[str, str], tmp_path: Path
) -> None:
    project = write_project(tmp_path / "project", samples=32)
    options = ("--project", project, "--target", "plain", "--set", "project.model.task=top-two")
    built = edgekit("build", *options, "--out", tmp_path / "out", "--json", env={**places, "PYTHONPATH": str(site)})
    assert built.code == 0, built.err
    report = built.document["reports"][0]
    assert (report["target"], report["backend"], report["verdict"]) == ("plain-board", "plain-onnx", "passed")
    assert report["candidate"]["metric"]["name"] == "top2"
    assert report["artifact"]["format"] == "onnx"


@pytest.mark.parametrize(
    ("statement", "kind", "name"),
    [
        ('plugins.load("backends", "onnx")', "backends", "plain-onnx"),
        ('plugins.names("metrics")', "metrics", "top-two"),
        ("Catalog.default()", "catalogs", "plain"),
    ],
)
def test_two_packages_with_one_name_are_an_error_that_names_both(
    crowded: Path, tmp_path: Path, statement: str, kind: str, name: str
) -> None:
    refusal = python(REFUSED.format(statement=statement), crowded, tmp_path)
    assert refusal["code"] == "EK106"
    assert refusal["message"].startswith(f"two {kind} are named '{name}': ")
    assert "of edgekit-plain" in refusal["message"]
    assert "of edgekit-fork" in refusal["message"]
