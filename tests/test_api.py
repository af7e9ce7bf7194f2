"""edgekit from Python: what is exported, what it costs to import, and every example in it."""

from __future__ import annotations

import ast
import doctest
import inspect
import json
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edgekit
from edgekit import api
from tests.command_line import environment

pytestmark = pytest.mark.builds

NOUNS = (
    *(
        "Ablation",
        "Bundle",
        "BuildResult",
        "Comparison",
        "EdgekitError",
        "Measurement",
        "Plan",
        "Profile",
        "Project",
        "Report",
    ),
    *("Samples", "Target"),
)
COMMON = ("backend", "profile", "overrides")
SIGNATURES = {
    "load_project": ("path", "example"),
    "plan": ("project", "target", *COMMON, "cache"),
    "build": ("project", "target", *COMMON, "out", "samples", "key", "cache", "progress"),
    "ablate": ("project", "target", *COMMON, "device", "out", "samples", "cache", "progress"),
    "run": (
        *("project", "target", "device", *COMMON, "out", "samples", "key", "reference", "baseline", "runtime"),
        *("accelerator", "commit", "cache", "progress"),
    ),
    "open_bundle": ("path", "trusted"),
    "flash": ("bundle", "device", "runtime", "accelerator", "commit"),
    "commit": ("device",),
    "rollback": ("device", "runtime", "untested"),
    "status": ("device",),
    "probe": ("device", "model", "samples", "plan", "processes", "threads", "runtime", "accelerator"),
    "compare": ("reference", "candidate", "task"),
    "diagnose": ("project", "target", *COMMON, "search", "cache", "progress", "built"),
    "load_report": ("path",),
    "load_samples": ("project", "role", "limit", "steps"),
}
"""Promised in docs/api.md: what goes from here, or changes, is a breaking change."""
MINIMA = (16, 0.1)
"""Inferences and seconds, in the place of the 10 s that the plan `quick` times each side: examples tell no latency."""
QUICK = (f"profile.probe.min_count={MINIMA[0]}", f"profile.probe.min_duration_s={MINIMA[1]}")
AFTER = "print(json.dumps(sorted(set(sys.modules) - before)))"
EXAMPLES = [
    test for name in SIGNATURES for test in doctest.DocTestFinder().find(getattr(api, name), name) if test.examples
]


def test_what_is_exported_is_what_is_promised() -> None:
    assert set(edgekit.__all__) == {*NOUNS, *SIGNATURES}
    assert all(getattr(edgekit, name) is getattr(api, name) for name in edgekit.__all__)
    assert set(edgekit.__all__) <= set(dir(edgekit))


def test_type_checkers_see_what_is_exported() -> None:
    [block] = [node for node in ast.parse(Path(api.__file__).read_text()).body if isinstance(node, ast.If)]
    seen = [alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert seen
    assert sorted(filter(None, seen)) == sorted(edgekit.__all__)


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_function_takes_what_is_promised(name: str) -> None:
    assert tuple(inspect.signature(getattr(edgekit, name)).parameters) == SIGNATURES[name]


@pytest.mark.parametrize("name", [name for name in SIGNATURES if name != "load_samples"])
def test_a_function_tells_of_every_parameter(name: str) -> None:
    text = inspect.getdoc(getattr(edgekit, name)) or ""
    assert [parameter for parameter in SIGNATURES[name] if parameter not in text] == []
    assert "Raises:" in text
    assert ">>> " in text


def test_importing_edgekit_loads_no_more_than_python() -> None:
    program = f"import sys, json; before = set(sys.modules); import edgekit; {AFTER}"
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], env=environment(), capture_output=True, text=True, check=True, timeout=60
    )
    own = [name for name in json.loads(done.stdout) if name.partition(".")[0] not in sys.stdlib_module_names]
    assert own == ["edgekit"]


def test_what_is_not_there_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        edgekit.nothing  # noqa: B018


@pytest.fixture(scope="module")
def names(places: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What the examples take for granted: a project, a bundle of it, and a device that serves it."""
    folder = tmp_path_factory.mktemp("api")
    with pytest.MonkeyPatch.context() as patch:
        for name, place in places.items():
            patch.setenv(name, place)
        patch.setattr("edgekit.specs.profile.PLANS", {"quick": MINIMA})
        project, device = edgekit.load_project(example="digits"), f"local://{folder / 'device'}"
        stages: list[str] = []
        out = folder / "out"
        built = edgekit.build(project, "host", backend="onnx", out=out, samples=64, progress=stages.append)
        edgekit.flash(built.bundle, device)
        assert {"quantize", "compare"} <= set(stages)
        yield {"project": project, "device": device, "bundle": built.bundle, "out": out}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda test: test.name)
def test_an_example_is_true(example: doctest.DocTest, names: dict[str, Any]) -> None:
    given = {name: getattr(edgekit, name) for name in edgekit.__all__}
    example.globs = {**given, "run": partial(edgekit.run, overrides=QUICK), **names}
    output: list[str] = []
    doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example, out=output.append)
    assert output == []


def test_a_notebook_builds_probes_and_compares(names: dict[str, Any], tmp_path: Path) -> None:
    project = names["project"]
    built = edgekit.build(project, "host", backend="onnx", profile="float32", out=tmp_path, samples=64)
    samples = edgekit.load_samples(project, "evaluation", 64)
    as_float = edgekit.probe("local://", built.bundle.path, samples=samples, processes=1)
    as_int8 = edgekit.probe("local://", names["bundle"].path, samples=samples, processes=1)
    compared = edgekit.compare(as_float, as_int8)
    assert compared.agreement > 0.9
    assert 0 < compared.sqnr_db < 100
    [float_scores], [int8_scores] = as_float.outputs.values(), as_int8.outputs.values()
    assert not np.array_equal(float_scores, int8_scores)
    assert built.report._repr_html_().startswith('<iframe srcdoc="&lt;!DOCTYPE html&gt;')
    shown = (project, samples, as_int8, compared, built.report, built.bundle)
    assert [repr(noun).count("\n") for noun in shown] == [0] * len(shown)
    assert max(len(repr(noun)) for noun in shown) < 400
    assert str(built.report) == repr(built.report)


def test_one_target_at_a_time(names: dict[str, Any]) -> None:
    with pytest.raises(edgekit.EdgekitError, match="one target at a time"):
        edgekit.plan(names["project"], "all")


def test_a_folder_without_a_report_is_told(tmp_path: Path) -> None:
    with pytest.raises(edgekit.EdgekitError, match="there is no report in") as told:
        edgekit.load_report(tmp_path)
    assert told.value.hint
