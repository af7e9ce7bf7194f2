"""Bins are made at build, travel as a file, and count on a device what they counted at build."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from edgekit.ir.signature import TensorSpec
from edgekit.parity.frozen_bins import freeze_bins
from edgekit.runner.counts.bins import FIXED, FrozenBins, ScoreRule
from edgekit.runner.counts.signals import answer_signals, counted_input, input_signals
from edgekit.runner.counts.window import FEWEST, AnswerWindow
from edgekit.runner.errors import RunnerError
from tests.runner import slot
from tests.runner.counts.small_bins import frozen, scores_of


@pytest.fixture(scope="module")
def bins() -> FrozenBins:
    return frozen()


def test_a_window_of_the_evaluation_samples_has_the_reference_counts(bins: FrozenBins) -> None:
    given = slot.inputs(200, seed=11)
    window = AnswerWindow(FrozenBins.parse(bins.to_bytes()), 1)
    scores = scores_of(given)
    for i in range(0, 200, 50):
        window.add_scores(scores[i : i + 50])
        window.add_inputs([given["image"][i : i + 50], given["bias"][i : i + 50]])
    counts = window.document()
    assert counts["signals"] == {name: list(each.counts) for name, each in bins.signals.items()}
    assert set(counts["signals"]) >= {"confidence", "entropy", "margin", "energy", "input.image.sharpness.2"}
    assert set(counts["signals"]) >= {"input.image.clipped", "input.bias.mean.0"}
    accuracy = bins.accuracy
    assert accuracy
    assert (counts["rows"], counts["above"]) == (200, accuracy.above) == (200, accuracy.right)
    assert counts["confidence"] == pytest.approx(accuracy.confidence, abs=200)
    assert 0 < accuracy.right < 200


def test_no_class_is_told_that_few_answers_share(bins: FrozenBins) -> None:
    window = AnswerWindow(bins, 1)
    wanted = [0] * 30 + [1] * FEWEST + [2] * (FEWEST - 1) + [3]
    window.add_scores(20.0 * np.eye(5, dtype=np.float32)[wanted])
    counts = window.document()
    assert counts["classes"] == {"0": 30, "1": FEWEST}
    assert counts["few"] == FEWEST


def test_scores_that_are_no_numbers_are_counted_apart(bins: FrozenBins) -> None:
    window = AnswerWindow(bins, 1)
    scores = np.eye(5, dtype=np.float32)
    scores[2, 1] = np.nan
    window.add_scores(scores)
    assert (window.rows, window.unusable) == (5, 1)
    assert sum(window.document()["signals"]["confidence"]) == 4


def test_signals_of_answers_are_what_their_names_say() -> None:
    logits = np.array([[2.0, 0.0, -1.0], [0.0, 0.0, 0.0]])
    answers = answer_signals(logits, ScoreRule("scores", "logits", 2.0, 0.5))
    shares = np.exp(logits / 2) / np.exp(logits / 2).sum(axis=1, keepdims=True)
    assert np.allclose(answers.signals["entropy"], -(shares * np.log(shares)).sum(axis=1))
    assert np.allclose(answers.confidence, shares.max(axis=1))
    assert np.allclose(answers.signals["margin"], [shares[0, 0] - shares[0, 1], 0.0])
    assert np.allclose(answers.signals["energy"], np.log(np.exp(logits).sum(axis=1)))
    assert "energy" not in answer_signals(shares, ScoreRule("scores", "probabilities", 1.0, 0.5)).signals


@pytest.mark.parametrize(
    ("shape", "channels"), [((1, 32, 32, 3), 3), ((1, 3, 32, 32), 1), ((1, 1, 28, 28), 1), ((1, 8, 16, 16), None)]
)
def test_channels_are_found_on_either_side(shape: tuple[int, ...], channels: int | None) -> None:
    stated = counted_input("image", "uint8", shape, is_free=False)
    assert stated
    assert stated.channels == channels
    picture = np.random.default_rng(1).integers(0, 256, (2, *shape[1:]), np.uint8)
    picture[1] = 255
    signals = input_signals(picture, stated)
    assert signals["input.image.mean.0"][1] == 255
    assert signals["input.image.sharpness.0"][1] == signals["input.image.deviation.0"][1] == 0
    assert signals["input.image.clipped"] == pytest.approx([np.isin(picture[0], (0, 255)).mean(), 1.0])


def test_sharpness_is_the_step_from_one_pixel_to_the_next() -> None:
    stripes = np.tile(np.array([0, 100], np.uint8), (1, 4, 4, 1)).reshape(1, 4, 8, 1)
    stated = counted_input("image", "uint8", stripes.shape, is_free=False)
    assert stated
    assert input_signals(stripes, stated)["input.image.sharpness.0"].tolist() == [100.0]
    assert counted_input("tokens", "int64", (1, 16), is_free=False) is None
    assert counted_input("audio", "float32", (1, 16), is_free=True) is None


def test_outputs_of_other_tasks_have_their_ranges_counted() -> None:
    values = np.random.default_rng(2).normal(size=(100, 4)).astype(np.float32)
    spec = (TensorSpec("x", "float32", (1, 6)),)
    inputs = {"x": np.zeros((100, 6), np.float32)}
    bins = freeze_bins("regression", "artifact", {"y": values}, None, inputs, spec, {})
    assert bins.score is None
    assert bins.outputs == ("y",)
    window = AnswerWindow(bins, 1)
    window.add_values([values], bins.outputs)
    counts = window.document()["signals"]
    assert counts == {
        name: list(bins.signals[name].counts) for name in ("output.y.low", "output.y.mean", "output.y.high")
    }
    # A signal that never differs has one bin.
    assert bins.signals["input.x.mean.0"].counts == (100,)


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 2},
        {"rows": -1},
        {"rows": True},
        {"signals": {"confidence": {"edges": [1, 0], "counts": [1, 1, 1]}}},
        {"signals": {"confidence": {"edges": [0], "counts": [1]}}},
        {"signals": {"confidence": {"edges": [float("inf")], "counts": [1, 1]}}},
        {"score": {"output": "scores", "form": "odds", "temperature": 1, "threshold": 0.5}},
        {"score": {"output": "scores", "form": "logits", "temperature": 0, "threshold": 0.5}},
        {"accuracy": {"rows": 1, "right": 2, "above": 0, "confidence": 0, "squares": 0}},
        {"accuracy": {"rows": 1, "right": 1, "above": 1, "confidence": FIXED + 1, "squares": 0}},
        {"inputs": [{"name": "", "channels": None}]},
        {"limits": 3},
    ],
)
def test_another_file_holds_no_bins(bins: FrozenBins, change: dict[str, Any]) -> None:
    with pytest.raises(RunnerError, match="holds no bins"):
        FrozenBins.parse(json.dumps({**bins.document(), **change}).encode())


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"[" * 100_000, b'{"schema": 1}'])
def test_bytes_that_are_no_bins_are_refused(raw: bytes) -> None:
    with pytest.raises(RunnerError, match="holds no bins"):
        FrozenBins.parse(raw)
