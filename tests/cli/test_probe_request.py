"""Options of `probe` that do not go together are refused by the request itself, before anything is asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgekit.cli.probe_request import CONFLICTS, ProbeRequest
from edgekit.errors import OptionError
from edgekit.specs.accelerator import AcceleratorChoice

FILE = Path("x")
OTHERS: tuple[dict[str, Any], ...] = (
    {"project": FILE}, {"example": "stories"}, {"samples": 3}, {"inputs": FILE}, {"cpus": "0"}, {"meter": "wall"},
    {"robustness": "shift"},
    {"out": FILE}, {"trace": FILE}, {"instances": 2}, {"operators": True}, {"throughput": True}, {"shape": ("x=1",)},
)  # fmt: skip
"""Options that generation does not take."""
REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"operators": True, "throughput": True}, "two runs"),
    ({"trace": FILE}, "--trace goes with --operators"),
    ({"instances": 2}, "--instances with --throughput"),
    ({"operators": True, "out": FILE}, "--out goes with neither"),
    ({"operators": True, "cpus": "0"}, "--cpus goes with neither"),
    ({"throughput": True, "meter": "wall"}, "--meter goes with neither"),
    ({"throughput": True, "min_count": 3}, "--min-count goes with neither"),
    ({"throughput": True, "threads": 2}, "tries every number of threads"),
    ({"throughput": True, "min_duration": 0.5}, "lasts a second at least"),
    ({"operators": True, "min_duration": 3.0}, "a number of inferences"),
    ({"inputs": FILE, "samples": 3}, "no project's"),
    ({"inputs": FILE, "robustness": "shift"}, "--robustness perturbs a project's samples"),
    ({"inputs": FILE, "stop_early": True}, "--stop-early needs the labels"),
    ({"throughput": True, "stop_early": True}, "--stop-early goes with none of"),
    ({"operators": True, "robustness": "shift"}, "--robustness goes with neither"),
    ({"operators": True, "accelerator": AcceleratorChoice("gpu")}, "--accelerator goes with none of"),
    ({"shape": ("x=1,3",)}, "--shape is for a bare model file"),
    ({"generate": 8, "prompt": "a", "model": Path("model.onnx")}, "--generate needs a bundle"),
    *(({"generate": 8, "prompt": "a", **option}, f"--{next(iter(option))} does not go with") for option in OTHERS),
)


@pytest.mark.parametrize(("options", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_options_that_do_not_go_together_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        ProbeRequest("local://", **options)


def test_every_conflict_is_tried_above() -> None:
    assert all(any(words in message for _, words in REFUSED) for _, message, _ in CONFLICTS)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"out": FILE, "cpus": "0,1", "min_count": 3, "min_duration": 0.0},
        {"operators": True, "trace": FILE, "threads": 2},
        {"throughput": True, "instances": 2, "threads": 2, "min_duration": 1.0},
        {"inputs": FILE},
    ],
)
def test_those_that_do_are_taken(options: dict[str, Any]) -> None:
    assert ProbeRequest("local://", **options).device == "local://"


def test_a_plan_has_what_was_said_and_the_defaults_of_the_rest() -> None:
    plan = ProbeRequest("local://", cpus="2,3", min_duration=0.5).latency_plan
    assert (plan.cpus, plan.min_duration_s, plan.threads, plan.processes) == ((2, 3), 0.5, 1, 3)


def test_a_limit_of_time_holds_unless_the_samples_were_named() -> None:
    assert ProbeRequest("local://").accuracy_limit_s == ProbeRequest("local://").latency_plan.accuracy_limit_s
    assert ProbeRequest("local://", samples=3).accuracy_limit_s is None
    assert ProbeRequest("local://", inputs=FILE).accuracy_limit_s is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"prompt": "a"}, "go with --generate"),
        ({"prompt_tokens": "1"}, "go with --generate"),
        ({"generate": 8}, "a text needs a beginning"),
        ({"generate": 8, "prompt": ""}, "a text needs a beginning"),
        ({"generate": 8, "prompt": "a", "prompt_tokens": "1"}, "two beginnings"),
        ({"generate": 8, "prompt_tokens": "1,x"}, "is no list of token ids"),
        ({"generate": 1 << 20, "prompt": "a"}, "is no number of tokens"),
        ({"generate": 1, "prompt": "a"}, "is no number of tokens"),
    ],
)
def test_a_prompt_that_is_none_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionError, match=words):
        ProbeRequest("local://", **options)


def test_a_prompt_is_a_text_or_tokens() -> None:
    assert ProbeRequest("local://", generate=8, prompt="Once").beginning.arrays["text"].tobytes() == b"Once"
    assert ProbeRequest("local://", generate=8, prompt_tokens="1, 42").beginning.arrays["tokens"].tolist() == [1, 42]
