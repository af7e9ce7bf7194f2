"""Forecasts and depths: errors by their formulas and scikit-learn's pinball loss."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, root_mean_squared_error

from edgekit.errors import DataError, SpecError
from edgekit.ir.measurement import Array
from edgekit.tasks.depth import Depth
from edgekit.tasks.forecasting import Forecasting
from edgekit.tasks.registry import task_named


def series(seed: int = 0) -> tuple[Array, Array]:
    """Forecasts [30, 8] and the true values."""
    random = np.random.default_rng(seed)
    truth = np.cumsum(random.normal(size=(30, 8)), axis=1) + 5
    return truth + random.normal(scale=0.5, size=truth.shape), truth


@pytest.mark.parametrize("season", [1, 3])
def test_mase_is_the_error_over_that_of_the_naive_forecast(season: int) -> None:
    answers, truth = series()
    task = Forecasting(season=season)
    collected = task.collect(list(truth), 0)
    task.check({"o": answers}, collected)
    naive = np.mean([abs(truth[i, t] - truth[i, t - season]) for i in range(30) for t in range(season, 8)])
    scores = task.score(task.answers({"o": answers}), collected)
    assert scores.value == pytest.approx(mean_absolute_error(truth, answers) / naive)
    part = np.array([3, 3, 9])
    assert scores.at(part) == pytest.approx(mean_absolute_error(truth[part], answers[part]) / naive)
    assert scores.each[4] == pytest.approx(-mean_absolute_error(truth[4], answers[4]))
    stated = Forecasting(scale=2.0)
    assert stated.score(stated.answers({"o": answers}), truth).value == pytest.approx(
        mean_absolute_error(truth, answers) / 2
    )
    assert not task.metric.higher_is_better


def test_other_errors_are_those_of_their_formulas() -> None:
    answers, truth = series(1)
    values = Forecasting().answers({"o": answers})
    expected = {
        "rmse": root_mean_squared_error(truth.ravel(), answers.ravel()),
        "mae": mean_absolute_error(truth, answers),
        "smape": np.mean(2 * np.abs(truth - answers) / (np.abs(truth) + np.abs(answers))),
    }
    for name, value in expected.items():
        assert Forecasting(metric_name=name).score(values, truth).value == pytest.approx(value)
    assert Forecasting(metric_name="smape").score(np.zeros((2, 8, 1)), np.zeros((2, 8))).value == 0
    beside = {figure.name: figure.candidate for figure in Forecasting().secondary(values, values, truth)}
    assert beside == {name: pytest.approx(expected[name]) for name in ("smape", "rmse")}
    unknown = truth.copy()
    unknown[0, 2:] = np.nan
    known = ~np.isnan(unknown)
    kept = Forecasting(metric_name="mae").score(values, unknown)
    assert kept.value == pytest.approx(mean_absolute_error(truth[known], answers[known]))


def test_pinball_loss_is_scikit_learns() -> None:
    answers, truth = series(2)
    quantiles = (0.1, 0.5, 0.8)
    outputs = {"o": np.stack([answers - 1, answers, answers + 0.7], axis=-1)}
    task = Forecasting(metric_name="pinball", quantiles=quantiles)
    task.check(outputs, truth)
    expected = np.mean([mean_pinball_loss(truth, outputs["o"][..., k], alpha=q) for k, q in enumerate(quantiles)])
    assert task.score(task.answers(outputs), truth).value == pytest.approx(expected)
    middle = Forecasting(metric_name="mae", quantiles=quantiles)
    assert middle.score(middle.answers(outputs), truth).value == pytest.approx(mean_absolute_error(truth, answers))
    with pytest.raises(DataError, match="forecasting needs"):
        task.check({"o": answers}, None)


def test_chance_is_the_best_constant_forecast() -> None:
    _, truth = series(3)
    constants = np.linspace(truth.min(), truth.max(), 2001)
    for name in ("mae", "rmse"):
        task = Forecasting(metric_name=name)
        best = min(task.score(np.full((30, 8, 1), one), truth).value for one in constants)
        assert task.chance(truth) == pytest.approx(best, rel=1e-4)
    quantile = Forecasting(metric_name="pinball", quantiles=(0.2, 0.7))
    best = np.mean([min(mean_pinball_loss(truth, np.full(truth.shape, one), alpha=q) for one in constants[::20])
                    for q in (0.2, 0.7)])  # fmt: skip
    assert quantile.chance(truth) == pytest.approx(best, rel=1e-3)


def test_forecasts_agree_within_the_tolerance() -> None:
    values = Forecasting().answers({"o": series()[0]})
    moved = values.copy()
    moved[:, :2] += 0.3
    assert Forecasting(tolerance=0.2).agreement(values, moved).tolist() == [0.75] * 30
    assert Forecasting().agreement(values, values).tolist() == [1] * 30


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "pinball"}, "'pinball' needs the quantiles"),
        ({"quantiles": [0.9, 0.1]}, "quantiles rise between 0 and 1"),
        ({"quantiles": [0.5, 1.5]}, "quantiles rise between 0 and 1"),
    ],
)
def test_wrong_quantiles_are_told(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        task_named("forecasting", options)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1.0, 2.0], "a label is one number"),
        ([[1.0], [2.0]], "a horizon of 1 has no value one season of 1 before"),
        ([[np.nan, np.nan]], "no true value is known"),
        ([[1.0, 2], [1.0]], "labels have different shapes"),
    ],
)
def test_labels_that_are_no_horizons_are_refused(labels: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Forecasting().collect(labels, 0)


def test_a_horizon_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match=r"labels are \[2, 5\], output 'o' is \[2, 4\]"):
        Forecasting().check({"o": np.zeros((2, 4))}, np.zeros((2, 5)))


def maps(seed: int = 0) -> tuple[Array, Array]:
    """Depths [3, 6, 8] and the true ones, some of which are unknown."""
    random = np.random.default_rng(seed)
    truth = random.uniform(1, 20, (3, 6, 8))
    answers = truth * np.exp(random.normal(scale=0.2, size=truth.shape))
    truth[:, 0] = 0
    truth[:, 1, 0] = np.nan
    return answers.astype(np.float32), truth.astype(np.float32)


def test_depths_are_scored_where_they_are_known() -> None:
    answers, truth = maps()
    task = Depth()
    collected = task.collect(list(truth), 0)
    task.check({"o": answers[:, None]}, collected)
    depths = task.answers({"o": answers[:, None]})
    known = truth > 0
    ours, theirs = answers[known].astype(float), truth[known].astype(float)
    expected: dict[Any, float] = {
        "absrel": float(np.mean(np.abs(ours - theirs) / theirs)),
        "rmse": root_mean_squared_error(theirs, ours),
        "delta1": float(np.mean(np.maximum(ours / theirs, theirs / ours) < 1.25)),
    }
    for name, value in expected.items():
        scores = Depth(metric_name=name).score(depths, collected)
        assert scores.value == pytest.approx(value)
        assert scores.at(np.array([2, 0, 1])) == pytest.approx(value)
    assert Depth(metric_name="delta1").score(np.nan_to_num(truth), truth).value == 1
    scaled = Depth(aligned=True).score(3 * depths, collected)
    assert scaled.value == pytest.approx(Depth(aligned=True).score(depths, collected).value, rel=1e-6)
    assert task.agreement(depths, depths).tolist() == [1] * 3
    assert task.agreement(depths, 1.1 * depths).tolist() == [0] * 3


def test_chance_of_depths_is_a_constant_that_is_hard_to_better() -> None:
    _, truth = maps(2)
    for name in ("absrel", "rmse", "delta1"):
        task: Any = Depth(metric_name=name)
        values = [task.score(np.full_like(truth, one), truth).value for one in np.linspace(1, 20, 200)]
        best = max(values) if name == "delta1" else min(values)
        assert task.chance(truth) == pytest.approx(best, rel=0.03)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([3.0], "no depths of one size"),
        ([np.full((4, 4), -1.0)], "label of sample 0 has a depth of -1"),
        ([np.zeros((4, 4))], "no depth of any sample is between 0.001 and 80"),
        ([np.full((4, 4), 1500.0)], "no depth of any sample"),
    ],
)
def test_labels_that_are_no_depths_are_refused(labels: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Depth().collect(labels, 0)


def test_depths_of_another_size_are_refused() -> None:
    with pytest.raises(DataError, match=r"depths are \[4, 5\], output 'o' is \[4, 4\]"):
        Depth().check({"o": np.zeros((2, 1, 4, 4))}, np.zeros((2, 4, 5)))
    with pytest.raises(DataError, match="depths are"):
        Depth().check({"o": np.zeros((2, 3))}, None)
    with pytest.raises(SpecError, match="'nearest' must be below 'farthest'"):
        task_named("depth", {"nearest": 9.0, "farthest": 3.0})
