"""Stages: an object that a plan reads and a build runs, recorded and logged."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from edgekit.cache import Cache, digest_of
from edgekit.ir.stage_record import StageRecord
from edgekit.pipeline.stages.stage import Stage
from edgekit.pipeline.stages.stage_runner import StageRunner

WORDS = "words.txt"


def shouting(keys: list[str]) -> Stage[[str]]:
    """A stage that writes what it is run with; `keys` notes each time that its key is computed."""

    def compute_key() -> str:
        keys.append("shout")
        return digest_of({"stage": "shout"})

    def make(out: Path, words: str) -> None:
        (out / WORDS).write_text(words.upper())

    return Stage("shout", compute_key, make)


@pytest.fixture
def line(tmp_path: Path) -> StageRunner:
    return StageRunner(Cache(tmp_path / "cache"))


def test_a_stage_is_made_once_and_then_reused(line: StageRunner) -> None:
    first = shouting([]).run(line, "hello")
    again = shouting([]).run(line, "another")
    assert (again, (again / WORDS).read_text()) == (first, "HELLO")
    assert [(record.name, record.cached) for record in line.records] == [("shout", False)]


def test_the_key_of_a_stage_is_computed_once_and_only_when_it_is_needed(line: StageRunner) -> None:
    keys: list[str] = []
    stage = shouting(keys)
    assert (stage.name, keys) == ("shout", [])
    assert stage.run(line, "hello") == line.cache.find(stage.key)
    assert keys == ["shout"]


def test_the_log_has_a_line_when_a_stage_begins_and_when_it_ends(
    line: StageRunner, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "edgekit.pipeline"):
        shouting([]).run(line, "hello")
        shouting([]).run(line, "hello")
    began, made, reused = (record.getMessage() for record in caplog.records)
    assert began == "stage 'shout' begins"
    assert made.startswith("stage 'shout' ended after ")
    assert made.endswith(" s: made")
    assert reused.endswith(" s: reused from the cache")


def test_a_stage_that_fails_is_not_recorded(line: StageRunner) -> None:
    def make(out: Path) -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        Stage("fails", lambda: digest_of({"stage": "fails"}), make).run(line)
    assert line.records == []


def test_a_stage_counts_its_own_seconds_and_not_those_of_a_stage_inside(line: StageRunner) -> None:
    with line.stage("outside"), line.stage("inside"):
        sum(range(200_000))
    inside, outside = line.records
    assert (inside.name, outside.name) == ("inside", "outside")
    assert isinstance(inside, StageRecord)
    assert outside.seconds < inside.seconds
