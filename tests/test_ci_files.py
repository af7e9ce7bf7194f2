"""The workflow files of docs/ci are valid, and their steps do what they say."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from tests.command_line import LENIENT, edgekit_here, environment
from tests.conftest import Built

FOLDER = Path(__file__).parents[1] / "docs/ci"
SHIM = """#!/bin/sh
if [ "$1" = build ]; then
  cp -r "$BUILT" out
  shift
  printf '%s\\n' "$@" >built-with
else
  exec "$PYTHON" -m edgekit.cli "$@"
fi
"""
"""Stands for `edgekit`: a build takes what the session has built, and leaves its options for the test to try."""


def workflow(name: str) -> dict[Any, Any]:
    yaml = pytest.importorskip("yaml")
    document: dict[Any, Any] = yaml.safe_load((FOLDER / name).read_text())
    return document


def commands(script: str) -> list[list[str]]:
    """Words of each line of a script that calls edgekit, up to where its output goes."""
    lines = [line.strip() for line in script.splitlines() if line.strip().startswith("edgekit ")]
    return [shlex.split(line.partition(" >")[0]) for line in lines]


@pytest.mark.parametrize(("name", "schema"), [("github.yml", "github-workflows"), ("gitlab.yml", "gitlab-ci")])
def test_a_file_is_valid_by_the_schema_of_its_service(name: str, schema: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    path = files(pytest.importorskip("check_jsonschema")) / f"builtin_schemas/vendor/{schema}.json"
    validator = jsonschema.validators.validator_for(json.loads(path.read_text()))(json.loads(path.read_text()))
    document = {"on" if key is True else key: value for key, value in workflow(name).items()}  # YAML 1.1's `on`
    assert list(validator.iter_errors(document)) == []
    job = document["jobs"]["build"] if "jobs" in document else document["edgekit"]
    job["timeout" if "timeout" in job else "timeout-minutes"] = {"not": "a time"}
    assert not validator.is_valid(document)


def test_the_steps_for_github_write_every_report(
    built: Built, small: Path, tmp_path: Path, places: dict[str, str]
) -> None:
    """All steps that run here: what installs edgekit and what talks to GitHub is left out."""
    steps = [step for step in workflow("github.yml")["jobs"]["build"]["steps"] if "run" in step]
    scripts = {step["name"]: step["run"] for step in steps}
    assert set(scripts) == {
        "Install",
        "Build",
        "Write reports",
        "Comment the pull request",
        "Take the reports of the main branch",
    }
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin/edgekit"
    shim.write_text(SHIM)
    shim.chmod(0o755)
    path = f"{shim.parent}{os.pathsep}{os.environ['PATH']}"
    env = environment({**places, "PATH": path, "BUILT": str(built.out), "PYTHON": sys.executable, "TARGET": "host"})
    for name in ("Build", "Take the reports of the main branch", "Write reports"):
        shell = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", scripts[name]]  # as GitHub runs it
        subprocess.run(shell, cwd=tmp_path, env=env, check=True, timeout=300)
    out = tmp_path / "out"
    assert (out / "junit.xml").read_text().startswith("<?xml")
    assert json.loads((out / "edgekit.sarif").read_text())["version"] == "2.1.0"
    assert "Compared with an earlier report" in (out / "pull-request.md").read_text()
    options = (tmp_path / "built-with").read_text().splitlines()
    options[options.index("--out") + 1] = str(tmp_path / "again")
    summary = tmp_path / "summary.md"
    ours = ("--project", small, "--backend", "onnx", *LENIENT)
    ended = edgekit_here("build", *options, *ours, env={**places, "GITHUB_STEP_SUMMARY": str(summary)})
    assert (ended.code, summary.read_text()[:19]) == (0, "## edgekit: PASSED\n"), ended.err
    assert "::notice title=passed" in ended.err


def test_the_steps_for_gitlab_are_those_for_github() -> None:
    steps = workflow("github.yml")["jobs"]["build"]["steps"]
    known = [words for step in steps for words in commands(step.get("run", ""))]
    job = workflow("gitlab.yml")["edgekit"]
    ours = [words for line in (*job["script"], *job["after_script"]) for words in commands(line)]
    assert len(ours) == 3
    for words in ours:
        assert any(words == other[: len(words)] for other in known), words
    assert job["artifacts"]["reports"]["junit"] == "out/junit.xml"
