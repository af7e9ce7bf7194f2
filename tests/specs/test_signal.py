"""`signal` under `[inputs]`: what an input holds, where its other keys do not tell."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from edgekit.perturb.input_domain import InputDomain, Kind, input_domains
from edgekit.specs.inputs import Input
from edgekit.specs.project import Project
from tests import projects

ROOT = Path(projects.__file__).parent


def test_a_word_is_short_for_a_table() -> None:
    assert Input.model_validate({"shape": [48], "signal": "series"}) == Input.model_validate(
        {"shape": [48], "signal": {"kind": "series"}}
    )
    assert "signal" not in Input.model_validate({"shape": [48]}).model_dump()


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"shape": [48], "signal": "sound"}, "recordings"),
        ({"shape": [48], "signal": {"kind": "series", "rate": 8000}}, "'rate' is of recordings"),
        ({"shape": [48], "signal": {"kind": "series", "time": 1}}, "beyond a shape of 1 axes"),
        ({"shape": [48], "audio": {"rate": 8000}, "signal": "recordings"}, "'audio' tells already"),
        ({"shape": [48], "signal": {"kind": "recordings", "rate": 0}}, "greater than 0"),
    ],
)
def test_what_contradicts_the_input_is_refused(spec: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Input.model_validate(spec)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("keywords", {"audio": "recordings"}),
        ("forecaster", {"past": "series"}),
        ("tagger", {"tokens": None}),
        ("sentences", {"tokens": None}),
        ("autoencoder", {"scan": None}),
    ],
)
def test_the_kind_of_the_projects_inputs(name: str, kinds: dict[str, Kind | None]) -> None:
    domains = input_domains(Project.read(ROOT / name))
    assert {domain.name: domain.kind for domain in domains} == kinds


def test_the_rate_and_hop_come_from_what_is_stated() -> None:
    def domain(spec: dict[str, Any]) -> InputDomain:
        return InputDomain("x", Input.model_validate(spec), ROOT)

    mels = {"from": "float32 PCM", "rate": 8000, "frame": 200, "hop": 80, "mels": 40}
    both = domain({"shape": [40, 10], "log_mel": mels, "audio": {"from": 44100}})
    assert (both.rate, both.hop) == (8000, 80)
    assert domain({"shape": [100], "audio": {"rate": 16000}}).rate == 16000
    assert domain({"shape": [100], "signal": {"kind": "recordings", "rate": 4000}}).rate == 4000
    assert domain({"shape": [100], "signal": "recordings"}).rate is None


def test_what_tells_the_kind_is_said() -> None:
    told = {each: input_domains(Project.read(ROOT / each))[0].evidence for each in ("keywords", "forecaster", "tagger")}
    assert told == {"keywords": "as 'signal' states", "forecaster": "as the task is forecasting", "tagger": ""}
