"""`build` and `plan`: what they print, where it goes, and how they exit."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.command_line import COMMAND, environment
from tests.conftest import Built, Command
from tests.networks import write_project

ONNX = ("--target", "host", "--backend", "onnx")


def test_a_build_says_its_verdict_first_and_nothing_on_stderr_but_the_key_it_made(built: Built) -> None:
    assert built.ended.code == 0
    assert built.ended.out.startswith("PASSED  host, host-int8, onnx, no device\n")
    notes = built.ended.err.splitlines()
    assert len(notes) <= 1
    assert all(note.startswith("made your signing key 'default'") for note in notes)


def test_a_build_leaves_a_bundle_a_report_and_both_measurements_and_nothing_else(built: Built) -> None:
    assert sorted(path.name for path in built.out.iterdir()) == [
        "candidate.json",
        "candidate.npz",
        "flips.csv",
        "profile.json",
        "reference.json",
        "reference.npz",
        "report.json",
        "report.md",
        "small-host-onnx-int8.edgekit",
    ]


def test_json_is_the_report_that_was_written_and_nothing_else(command: Command, built: Built, tmp_path: Path) -> None:
    ended = command("build", *built.options, "--out", tmp_path / "out", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert list(ended.document) == ["schema", "reports"]
    (report,) = ended.document["reports"]
    assert report == json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["verdict"] == "passed"
    assert {"capture", "compare"} < {stage["name"] for stage in report["stages"]}
    assert [stage["name"] for stage in report["stages"] if not stage["cached"]] == ["compare"]


def test_a_missed_gate_is_exit_1_and_the_bundle_is_there_to_look_at(
    command: Command, built: Built, tmp_path: Path
) -> None:
    ended = command(
        "build", *built.options, "--set", "profile.gates.size_ratio.max=0.01", "--out", tmp_path / "out", "--json"
    )
    assert ended.code == 1
    (report,) = ended.document["reports"]
    assert report["verdict"] == "failed"
    assert [gate["name"] for gate in report["gates"] if gate["outcome"] == "failed"] == ["size_ratio"]
    assert (tmp_path / "out" / report["bundle"]["path"]).is_file()


def test_another_key_signs(command: Command, built: Built, tmp_path: Path) -> None:
    _, identity, _ = command("keys", "new", "release").out.split()
    ended = command("build", *built.options, "--key", "release", "--out", tmp_path / "out", "--json")
    assert ended.document["reports"][0]["bundle"]["signer"] == identity
    assert command("inspect", next((tmp_path / "out").glob("*.edgekit"))).code == 0


def test_a_terminal_is_shown_every_stage(built: Built, tmp_path: Path) -> None:
    shown, terminal = os.openpty()
    argv = [*COMMAND, "build", *map(str, built.options), "--out", str(tmp_path / "out"), "--json"]
    env = environment({"TERM": "xterm", "COLUMNS": "100"})
    done = subprocess.run(argv, env=env, stdout=subprocess.PIPE, stderr=terminal, timeout=120, check=True)
    seen = os.read(shown, 1 << 16).decode()
    for end in (shown, terminal):
        os.close(end)
    stages = [stage["name"] for stage in json.loads(done.stdout)["reports"][0]["stages"]]
    assert {"capture", "quantize", "lower", "verify", "compare"} <= set(stages)
    assert [name for name in stages if f"✓\x1b[0m {name}" not in seen] == []
    assert "cached" in seen


def test_a_plan_tells_what_is_to_do_and_what_is_cached(
    command: Command, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = command("plan", *built.options, "--json")
    assert (plan.code, plan.err) == (0, "")
    (found,) = plan.document["plans"]
    assert {name for name, state in found["stages"].items() if state == "to do"} == {"compare"}

    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    (found,) = command("plan", *built.options, "--json").document["plans"]
    assert set(found["stages"].values()) == {"to do"}
    assert not (tmp_path / "cache").exists()


def test_a_plan_names_what_a_build_would_use(command: Command, built: Built) -> None:
    (found,) = command("plan", *built.options, "--out", "there", "--json").document["plans"]
    assert found["gates"]["size_ratio"] == {"max": 2}
    del found["stages"], found["gates"]
    assert found == {
        "project": "small",
        "task": "classification",
        "target": "host",
        "backend": "onnx",
        "delegates": ["cpu"],
        "profile": "host-int8",
        "precision": "static-int8",
        "accelerators": {},
        "out": "there",
    }


def test_a_plan_reads_as_a_table(command: Command, built: Built) -> None:
    rows = dict(line.split(maxsplit=1) for line in command("plan", *built.options).out.splitlines())
    assert rows["profile"] == "host-int8"
    assert rows["stages"].startswith("calibration data (512) ")


def test_the_target_all_is_every_target_that_the_profile_fits(command: Command, small: Path) -> None:
    argv = ("plan", "--project", small, "--target", "all", "--json", "--profile")
    found = command(*argv, "raspberry-pi-int8").document["plans"]
    assert [plan["target"] for plan in found] == ["raspberry-pi-4", "raspberry-pi-5", "raspberry-pi-zero-2w"]
    assert len({plan["out"] for plan in found}) == 3
    assert len(command(*argv, "float32").document["plans"]) == len(command("targets").out.splitlines()) - 1


def test_the_project_of_the_current_folder_is_the_default(
    command: Command, project_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project_folder)
    (found,) = command("plan", *ONNX, "--json").document["plans"]
    assert (found["project"], found["out"]) == ("project", "edgekit-out/project-host-onnx-int8")


def test_a_project_brings_targets_and_profiles_of_its_own(command: Command, project_folder: Path) -> None:
    host = command("targets", "show", "host").document
    (project_folder / "targets").mkdir()
    (project_folder / "targets" / "bench.toml").write_text(
        f'schema = 1\ntitle = "The bench"\nfamily = "host"\nsources = ["us"]\n'
        f'[cpu]\narch = "{host["cpu"]["arch"]}"\ncores = ["1x"]\n[memory]\nram_mb = 1\n'
        f'[[runtime]]\nbackend = "tflite"\ndelegates = ["xnnpack"]\n[deploy]\ntransport = "local"\nroot = "/"\n'
    )
    (found,) = command("plan", "--project", project_folder, "--target", "bench", "--json").document["plans"]
    assert (found["target"], found["backend"], found["profile"]) == ("bench", "tflite", "host-int8")


@pytest.mark.parametrize(
    ("override", "where", "value"),
    [
        ("profile.gates.agreement.min=0.5", ("gates", "agreement"), {"min": 0.5}),
        ("profile.gates.latency_p90_ms.max=3", ("gates", "latency_p90_ms"), {"max": 3.0}),
        ('profile.summary="a = b"', ("precision",), "static-int8"),
        ('target.runtime=[{backend = "onnx", delegates = ["cpu", "cuda"]}]', ("delegates",), ["cpu", "cuda"]),
    ],
)
def test_set_overrides_one_field(
    command: Command, small: Path, override: str, where: tuple[str, ...], value: object
) -> None:
    (found,) = command("plan", "--project", small, *ONNX, "--set", override, "--json").document["plans"]
    for key in where:
        found = found[key]
    assert found == value


def test_a_build_of_an_example_is_a_build_of_a_project(command: Command) -> None:
    (found,) = command("plan", "--example", "digits", *ONNX, "--json").document["plans"]
    assert found["project"] == "digits"


@pytest.mark.builds
def test_nothing_is_reused_and_nothing_kept_without_the_cache(
    command: Command, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDGEKIT_CACHE", str(tmp_path / "cache"))
    argv = (
        "build",
        "--project",
        small,
        *ONNX,
        "--profile",
        "float32",
        "--no-cache",
        "--json",
        "--out",
        tmp_path / "out",
    )
    (report,) = command(*argv).document["reports"]
    assert {stage["cached"] for stage in report["stages"]} == {False}
    assert not (tmp_path / "cache").exists()


@pytest.mark.builds
def test_a_changed_project_is_built_anew(command: Command, tmp_path: Path) -> None:
    project = write_project(tmp_path / "changing", samples=8)
    plan = ("plan", "--project", project, *ONNX, "--profile", "float32", "--json")
    assert command("build", *plan[1:], "--out", tmp_path / "out").code in (0, 1)
    before = command(*plan).document["plans"][0]["stages"]
    assert {name for name, state in before.items() if state == "to do"} == {"compare"}
    model = project / "model.py"
    model.write_text(model.read_text().replace("manual_seed(0)", "manual_seed(1)"))
    after = command(*plan).document["plans"][0]["stages"]
    to_do = {name for name, state in after.items() if state == "to do"}
    assert {"load", "capture", "lower", "reference", "verify", "compare"} <= to_do
