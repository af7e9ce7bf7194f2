"""Embeddings and pairs: retrieval, verification and rank correlation against independent oracles."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import pearsonr, spearmanr
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from edgekit.errors import DataError
from edgekit.ir.measurement import Array
from edgekit.tasks.cosine import ranks
from edgekit.tasks.embedding import Embedding, identity_pairs
from edgekit.tasks.label_arrays import is_labelled
from edgekit.tasks.pairs import Similarity, Verification
from edgekit.tasks.roc import RocCurve
from edgekit.tasks.task import scorable


def clusters(seed: int, noise: float = 1.0) -> tuple[Array, Array]:
    """Embeddings [60, 8] around 12 centres, and the centre of each."""
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(60) % 12)
    return (random.normal(size=(12, 8))[labels] + noise * random.normal(size=(60, 8))).astype(np.float32), labels


def cosines(vectors: Array) -> Array:
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(unit @ unit.T)


@pytest.mark.parametrize("k", [1, 3])
def test_recall_is_the_share_of_samples_with_one_of_their_identity_among_the_nearest(k: int) -> None:
    vectors, labels = clusters(k)
    task = Embedding(k=k)
    task.check({"e": vectors}, labels)
    scores = task.score(task.answers({"e": vectors}), labels)
    near = cosines(vectors) - 9 * np.eye(60)
    expected = [labels[i] in labels[np.argsort(-near[i])[:k]] for i in range(60)]
    assert scores.each.tolist() == expected
    assert task.metric.name == f"recall@{k}"


def test_mean_average_precision_is_scikit_learns_of_each_sample_among_the_others() -> None:
    vectors, labels = clusters(3)
    task = Embedding(metric_name="map")
    scores, near = task.score(task.answers({"e": vectors}), labels), cosines(vectors)
    for i in range(60):
        others = np.arange(60) != i
        expected = average_precision_score(labels[others] == labels[i], near[i][others])
        assert scores.each[i] == pytest.approx(expected)
    assert scores.value == pytest.approx(scores.each.mean())


def test_one_embedding_for_all_retrieves_nothing() -> None:
    _, labels = clusters(0)
    constant = Embedding().answers({"e": np.ones((60, 4))})
    assert Embedding().score(constant, labels).value == 0
    assert Embedding(metric_name="map").score(constant, labels).value < 0.2
    assert Embedding(metric_name="eer").score(constant, labels).value == pytest.approx(0.5)


def test_a_sample_alone_of_its_identity_is_no_query() -> None:
    vectors, labels = clusters(1, noise=0.01)
    labels[0], vectors[0] = 99, 0
    scores = Embedding().score(Embedding().answers({"e": vectors}), labels)
    assert scores.value == 1
    assert scores.each[0] == 0
    assert scores.at(np.array([0, 0])) == 0


def test_chance_is_what_any_order_gives() -> None:
    random, (_, labels) = np.random.default_rng(0), clusters(0)
    for k in (1, 5):
        task = Embedding(k=k)
        drawn = [task.score(task.answers({"e": random.normal(size=(60, 30))}), labels).value for _ in range(60)]
        assert task.chance(labels) == pytest.approx(np.mean(drawn), abs=0.02)
    assert Embedding(metric_name="eer").chance(labels) == 0.5


def oracle_eer(flags: Array, scores: Array) -> float:
    false, true, _ = roc_curve(flags, scores, drop_intermediate=False)
    return float(brentq(lambda x: 1 - x - np.interp(x, false, true), 0, 1))


@pytest.mark.parametrize("seed", range(6))
def test_figures_of_a_ranking_are_scikit_learns_with_ties_and_weights(seed: int) -> None:
    random = np.random.default_rng(seed)
    flags = random.random(80) < 0.4
    scores = np.round(random.normal(size=80) + flags, 1 if seed % 2 else 9)
    curve, weights = RocCurve(scores, flags), random.integers(0, 3, 80)
    assert curve.auc() == pytest.approx(roc_auc_score(flags, scores))
    assert curve.auc(weights) == pytest.approx(roc_auc_score(flags, scores, sample_weight=weights))
    assert curve.average_precision() == pytest.approx(average_precision_score(flags, scores))
    weighted = average_precision_score(flags, scores, sample_weight=weights)
    assert curve.average_precision(weights) == pytest.approx(weighted)
    # interpolated where the curve is level, brentq finds any crossing: scores without ties have one
    if not seed % 2:
        assert curve.eer() == pytest.approx(oracle_eer(flags, scores), abs=1e-6)
    repeated = np.repeat(np.arange(80), weights)
    assert curve.eer(weights) == pytest.approx(RocCurve(scores[repeated], flags[repeated]).eer())
    accepted = scores >= curve.eer_threshold
    errors = (accepted[~flags].mean(), (~accepted[flags]).mean())
    assert abs(errors[0] - errors[1]) <= 0.15


def test_a_ranking_of_one_kind_tells_nothing() -> None:
    curve = RocCurve(np.arange(3.0), np.ones(3, bool))
    assert (curve.auc(), curve.eer(), curve.average_precision()) == (0.5, 0.5, 1.0)
    assert RocCurve(np.arange(3.0), np.zeros(3, bool)).average_precision() == 0
    assert RocCurve(np.arange(4.0), np.arange(4) >= 2).eer() == 0


def test_verification_of_identities_is_of_as_many_pairs_of_one_as_of_two() -> None:
    vectors, labels = clusters(2)
    first, second = identity_pairs(labels)
    same = labels[first] == labels[second]
    assert same.sum() == 12 * 5 * 4 / 2 == (~same).sum()
    assert len({frozenset(pair) for pair in zip(first[same], second[same], strict=True)}) == same.sum()
    task = Embedding(metric_name="eer")
    scores = task.score(task.answers({"e": vectors}), labels)
    assert scores.value == pytest.approx(oracle_eer(same, cosines(vectors)[first, second]), abs=1e-6)
    assert not task.metric.higher_is_better
    assert 0 <= scores.each.min() <= scores.each.max() <= 1


def test_embeddings_agree_where_a_sample_finds_itself() -> None:
    vectors, _ = clusters(4)
    task = Embedding()
    answers = task.answers({"e": vectors})
    assert task.agreement(answers, answers).tolist() == [1.0] * 60
    assert task.agreement(answers, task.answers({"e": 7 * vectors})).tolist() == [1.0] * 60
    moved = vectors.copy()
    moved[3] = vectors[4]
    moved[5] *= -1
    assert np.flatnonzero(task.agreement(answers, task.answers({"e": moved})) == 0).tolist() == [3, 5]
    # All vectors are near one: the cosine is above 0.95 everywhere, and yet samples 3 and 4 changed places.
    near = vectors + 100
    changed = near.copy()
    changed[[3, 4]] = near[[4, 3]]
    assert (cosines(near) > 0.95).all()
    swapped = task.agreement(task.answers({"e": near}), task.answers({"e": changed}))
    assert np.flatnonzero(swapped == 0).tolist() == [3, 4]


@pytest.mark.parametrize(
    ("labels", "message"),
    [(np.arange(60), "60 samples have 60 identities"), (np.zeros(60, int), "60 samples have 1 identities")],
)
def test_identities_without_anything_to_find_are_refused(labels: Array, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Embedding().check({"e": clusters(0)[0]}, labels)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 3, 2)])
def test_an_output_that_is_no_vector_is_no_embedding(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="an embedding is float"):
        Embedding().check({"e": np.zeros(shape)}, None)


def test_a_siamese_network_is_judged_by_its_two_embeddings_or_its_score() -> None:
    random = np.random.default_rng(1)
    labels = random.integers(0, 2, 50)
    one = random.normal(size=(50, 6))
    other = np.where(labels[:, None] == 1, one, 0) + random.normal(size=(50, 6))
    towers = {"a": one, "b": other}
    near = (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)
    task = Verification()
    task.check(towers, labels)
    assert task.answers(towers) == pytest.approx(near, abs=1e-6)
    assert task.score(task.answers(towers), labels).value == pytest.approx(oracle_eer(labels, near), abs=1e-6)
    part = random.integers(0, 50, 50)
    assert task.score(task.answers(towers), labels).at(part) == pytest.approx(
        RocCurve(near[part], labels[part] == 1).eer()
    )
    distances = Verification(distance=True, threshold=0.6, metric_name="accuracy")
    distances.check({"d": 1 - near[:, None]}, labels)
    answers = distances.answers({"d": 1 - near[:, None]})
    assert distances.score(answers, labels).value == pytest.approx(((1 - near <= 0.6) == labels).mean())
    assert distances.show(answers, 0) == f"{1 - near[0]:.4g}"
    auc = Verification(metric_name="auc").score(near, labels)
    assert auc.value == pytest.approx(roc_auc_score(labels, near))
    assert distances.agreement(answers, -answers).mean() == pytest.approx(((near >= 0.4) == (-near >= 1.6)).mean())


def test_similarity_is_a_correlation_with_grades() -> None:
    random = np.random.default_rng(2)
    grades = np.round(random.random(40) * 5)
    scores = grades + random.normal(size=40)
    expected: dict[Any, Any] = {"spearman": spearmanr, "pearson": pearsonr}
    for name, oracle in expected.items():
        task = Similarity(metric_name=name)
        collected = task.collect(list(grades), 0)
        task.check({"s": scores}, collected)
        found_by_task = task.score(task.answers({"s": scores}), collected)
        assert found_by_task.value == pytest.approx(oracle(scores, grades).statistic)
        part = np.arange(5, 30)
        assert found_by_task.at(part) == pytest.approx(oracle(scores[part], grades[part]).statistic)
    assert ranks(np.array([3.0, 1, 3])).tolist() == [1.5, 0, 1.5]
    assert Similarity().agreement(scores, scores + 0.1).sum() == 0
    assert Similarity(tolerance=0.2).agreement(scores, scores + 0.1).sum() == 40


@pytest.mark.parametrize("labels", [[0, 2], [0.5, 1.0], [[1, 0], [0, 1]]])
def test_pairs_are_labelled_with_0_or_1(labels: list[object]) -> None:
    with pytest.raises(DataError):
        Verification().collect(labels, 0)


@pytest.mark.parametrize("labels", [[3, 3], [[1.0], [2.0]], [1.0, np.nan]])
def test_grades_have_an_order(labels: list[object]) -> None:
    with pytest.raises(DataError):
        Similarity().collect(labels, 0)


def test_two_embeddings_of_different_length_are_no_pair() -> None:
    with pytest.raises(DataError, match="neither one score a pair, nor two embeddings"):
        Verification().check({"a": np.zeros((2, 4)), "b": np.zeros((2, 5))}, None)
    with pytest.raises(DataError, match=r"labels are \[3\] for 2 pairs"):
        Verification().check({"a": np.zeros((2, 4)), "b": np.zeros((2, 4))}, np.zeros(3))


def test_held_out_samples_of_one_identity_each_are_judged_without_labels() -> None:
    vectors, labels = clusters(0)
    assert scorable(Embedding(), {"e": vectors}, labels) is labels
    assert not is_labelled(scorable(Embedding(), {"e": vectors}, np.arange(60)))
