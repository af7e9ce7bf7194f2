"""`--ci`, `--format`, `--compare` and errors as JSON: what services of continuous integration are given."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from edgekit.cli import heartbeat
from edgekit.cli.output import note, progress, say, say_lines
from edgekit.untrusted.workflow_commands import defused, defused_json
from tests.command_line import environment
from tests.conftest import Built, Command
from tests.failing_converters import until

SLOW_IMPORTS = """
import sys, time
from edgekit.cli import heartbeat, main

class Slow:
    def find_spec(self, name, *_):
        time.sleep(1.0 if name == "edgekit.cli.run" else 0.0)

heartbeat.SILENCE_S = 0.1
sys.meta_path.insert(0, Slow())
main()
"""
"""edgekit, where the import of a command takes a second, and a tenth of one is too long a silence."""


def test_reports_are_written_for_services(command: Command, built: Built) -> None:
    suites = ElementTree.fromstring(command("report", built.out, "--format", "junit").out.encode())
    assert suites.get("failures") == "0"
    log = json.loads(command("report", built.out, "--format", "sarif", "--project", "models/a").out)
    assert log["runs"][0]["tool"]["driver"]["name"] == "edgekit"
    short = command("report", built.out, "--format", "pr", "--compare", built.out)
    assert (short.code, short.err) == (0, "")
    assert short.out.startswith("## edgekit: PASSED\n")


def test_github_gets_annotations_on_stderr_and_a_summary_after_what_is_there(
    command: Command, built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    ended = command("report", built.out, "--ci", "github")
    assert ended.code == 0
    assert ended.out == command("report", built.out).out
    assert [line.split(" ")[0] for line in ended.err.splitlines()] == ["::notice"]
    assert summary.read_text().startswith("before\n## edgekit: PASSED\n")
    monkeypatch.delenv("GITHUB_STEP_SUMMARY")
    assert "GITHUB_STEP_SUMMARY is not set" in command("report", built.out, "--ci", "github").err
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "nowhere" / "summary.md"))
    assert "cannot be written" in command("report", built.out, "--ci", "github").err


def test_an_error_becomes_an_annotation_with_its_hint(command: Command, tmp_path: Path) -> None:
    ended = command("build", "--project", tmp_path, "--target", "host", "--ci", "github")
    assert ended.code == 2
    assert ended.err.splitlines()[-1].startswith("::error title=edgekit EK101::no 'edgekit.toml' in")


def test_an_error_is_shown_at_the_line_of_the_projects_file(
    command: Command, project_folder: Path, tmp_path: Path
) -> None:
    network = project_folder / "model.py"
    network.write_text(network.read_text().replace("class Net", "class Net(((", 1))
    line = next(n for n, text in enumerate(network.read_text().splitlines(), 1) if text.startswith("class Net((("))
    log = tmp_path / "error.sarif"
    log.write_text("an earlier one")
    argv = ("build", "--project", project_folder, "--target", "host", "--ci", "github", "--report", log)
    ended = command(*argv, "--out", tmp_path / "out")
    shown = ended.err.splitlines()[-1]
    assert f"line={line},title=edgekit EK" in shown
    [result] = json.loads(log.read_text())["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": line}
    assert place["artifactLocation"]["uri"].endswith("model.py")


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (("--compare", "old"), "--compare was given"),
        (("--ci", "github", "--flips", "csv"), "--ci and --flips were both given"),
        (("--project", "."), "a report needs no project"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    command: Command, built: Built, argv: tuple[str, ...], words: str
) -> None:
    assert words in command("report", built.out, *argv).refused("EK100", 2)


@pytest.mark.parametrize(
    ("argv", "code", "exit_code"),
    [
        (("build", "--target", "host", "--project", "nowhere"), "EK101", 2),
        (("inspect", "nothing.edgekit"), "EK301", 3),
        (("build", "--targte", "host"), "EK100", 2),
        (("biuld",), "EK100", 2),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_a_failure_with_json_is_one_document_and_the_exit_code_is_what_it_was(
    command: Command, argv: tuple[str, ...], code: str, exit_code: int
) -> None:
    plain, ended = command(*argv), command(*argv, "--json")
    assert plain.out == ""
    assert (ended.code, plain.code) == (exit_code, exit_code)
    error = ended.document["error"]
    assert set(error) == {"code", "message", "hint"}
    assert error["message"]
    assert error["code"] == code


def test_words_behind_a_dash_dash_are_no_options_of_ours(command: Command) -> None:
    assert command("inspect", "--", "--json").out == ""


def test_lines_of_anybody_are_no_commands_of_the_runner(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "  ::set-env name=A::b\n::1 answers\na ##[add-mask]x ##vso[task.setvariable variable=a]b\n"
    say_lines(text)
    assert capsys.readouterr().out == text
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    say_lines(text)
    say("##[error]x")
    note("::stop-commands::x")
    captured = capsys.readouterr()
    shown = captured.out + captured.err
    assert "##[" not in shown
    assert "##vso[" not in shown
    assert not any(line.lstrip().startswith("::s") for line in shown.splitlines())
    assert "\n::1 answers\n" in shown
    assert json.loads(defused_json('{"a": "##[error]x"}')) == {"a": "##[error]x"}
    assert "##[" not in defused_json('{"a": "##[error]x"}')
    assert defused("plain ## text ::") == "plain ## text ::"


def test_a_long_stage_says_that_it_goes_on_where_there_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert heartbeat.SILENCE_S < 20
    lines: list[str] = []
    with heartbeat.Heartbeat("pi", lines.append, silence_s=0.01) as beat:
        assert until(lambda: len(lines) >= 1)
        assert lines[0] == "[pi] 0 s so far"
        beat.begin("lower")
        beat.update("lower", "3 of 8")
        told = len(lines)
        assert until(lambda: len(lines) >= told + 2)
        assert lines[-1] == "[pi] lower 3 of 8, 0 s so far"
        beat.end("lower")
    with progress("pi") as watch:
        watch("lower", None)
        watch("lower", "3 of 8")
    assert capsys.readouterr().err == "[pi] lower\n"


def test_a_command_gives_signs_of_life_from_before_its_imports_and_again_after_a_stage() -> None:
    lines: list[str] = []
    with heartbeat.Heartbeat("edgekit run", lines.append, silence_s=0.01):
        assert until(lambda: len(lines) >= 1)
        with heartbeat.Heartbeat("pi", lines.append, silence_s=0.01):
            assert until(lambda: "[pi] 0 s so far" in lines)
            del lines[:]
            assert until(lambda: len(lines) >= 2)
            assert set(lines[1:]) == {"[pi] 0 s so far"}
        del lines[:]
        assert until(lambda: lines[-1:] == ["[edgekit run] 0 s so far"])


def test_a_command_whose_imports_take_long_says_so(tmp_path: Path) -> None:
    program = tmp_path / "slow.py"
    program.write_text(SLOW_IMPORTS)
    ended = subprocess.run(
        [sys.executable, program, "run", "--target", "host"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ended.stderr.startswith("[edgekit run] 0 s so far\n")
    assert "error EK" in ended.stderr
