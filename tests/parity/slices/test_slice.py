"""Slices by values, tails, classes and clusters; what cannot be sliced is said, with counts."""

from __future__ import annotations

import numpy as np
import pytest

from edgekit.datasets.metadata import Metadata
from edgekit.ir.measurement import Array
from edgekit.parity.gate_texts import percent
from edgekit.parity.slices.clusters import assigned, by_cluster
from edgekit.parity.slices.properties import properties
from edgekit.parity.slices.slice import Property, by_class, by_tails, by_value
from edgekit.samples import Samples
from edgekit.specs.audio import Audio
from edgekit.specs.inputs import Input
from edgekit.specs.preprocess import Preprocess
from edgekit.specs.project import LENGTHS


def sizes(column: Array) -> dict[str, int]:
    return {each.name: int(each.members.sum()) for each in by_value("light", column)[0]}


def percent_of(share: float) -> str:
    return percent(round(share, 3))


def measured(samples: Samples, spec: Input) -> dict[str, Array]:
    return {each.name: each.values for each in properties(samples, {"x": spec})}


def test_texts_and_few_numbers_are_slices_by_value() -> None:
    assert sizes(np.array(["dim", "day", "dim"])) == {"light = day": 1, "light = dim": 2}
    assert sizes(np.array([3.0, 1.5, 3.0])) == {"light = 1.5": 1, "light = 3": 2}


def test_many_numbers_are_cut_into_quarters() -> None:
    assert sizes(np.arange(100.0)) == {
        "light at most 24.75": 25,
        "light above 24.75 and at most 49.5": 25,
        "light above 49.5 and at most 74.25": 25,
        "light above 74.25": 25,
    }


@pytest.mark.parametrize(
    ("column", "slices", "remark"),
    [
        (np.array(["", "", ""]), 0, "'light' has no value in any of the 3 samples: no slice is made of it."),
        (np.full(4, np.nan), 0, "'light' has no value in any of the 4 samples: no slice is made of it."),
        (np.array(["a", "a"]), 0, "'light' is a wherever it has a value (2 samples): nothing to compare."),
        (np.array([1, np.nan, 2]), 2, "1 of 3 samples has no 'light' (empty or NaN), and is in no slice of it."),
        (np.arange(60).astype(str), 50, "'light' has 60 values: the 50 most frequent are slices, of 50 samples."),
    ],
)
def test_what_is_in_no_slice_is_said(column: Array, slices: int, remark: str) -> None:
    made, remarks = by_value("light", column)
    assert (len(made), remarks) == (slices, [remark])


def test_tails_are_in_words_and_equal_values_make_no_tail_of_all() -> None:
    def tails(values: Array) -> dict[str, int]:
        measured = Property("brightness", values, "dark pictures", "bright pictures", lambda value: f"{value:g} %")
        return {each.words: int(each.members.sum()) for each in by_tails(measured)}

    assert tails(np.arange(101.0)) == {
        "dark pictures, brightness at most 5 %": 6,
        "bright pictures, brightness at least 95 %": 6,
        "dark pictures, brightness at most 10 %": 11,
        "bright pictures, brightness at least 90 %": 11,
        "dark pictures, brightness at most 20 %": 21,
        "bright pictures, brightness at least 80 %": 21,
    }
    assert tails(np.zeros(100)) == {}
    assert tails(np.array([0.0] * 30 + [1.0] * 70)) == {"dark pictures, brightness at most 0 %": 30}


def test_slices_whose_edges_are_written_alike_are_named_apart() -> None:
    dark = Property("brightness", np.linspace(0.0158, 0.0163, 200), "dark pictures", "bright pictures", percent_of)
    names = [each.words for each in by_tails(dark)]
    assert names[0] == "dark pictures, brightness at most 1.6 % (5 % of the samples)"
    assert names[2] == "dark pictures, brightness at most 1.6 % (10 % of the samples)"
    assert len(set(names)) == len(names) == 6
    assert list(sizes(np.array([1e-6, 2e-6, 2e-6]))) == ["light = 1e-06", "light = 2e-06"]
    assert len(sizes(np.linspace(0, 1e-5, 100))) == 4


def test_pictures_have_brightness_contrast_and_size() -> None:
    pixels = np.zeros((2, 4, 4, 3), np.uint8)
    pixels[0, :2] = 255
    spec = Input(shape=(3, 4, 4), preprocess=Preprocess(from_="uint8 NHWC"))
    sized = Samples({"x": pixels}, np.zeros(2), metadata=Metadata(("a", "b"), {}, np.array([64.0, 16.0])))
    values = measured(sized, spec)
    assert values["brightness"].tolist() == pytest.approx([0.5, 0])
    assert values["contrast"].tolist() == pytest.approx([0.5, 0])
    assert values["size"].tolist() == [64, 16]
    reals = measured(
        Samples({"x": pixels.transpose(0, 3, 1, 2).astype(np.float32)}, np.zeros(2)), Input(shape=(3, 4, 4))
    )
    assert reals["brightness"].tolist() == pytest.approx([1, 0])
    green = np.zeros((2, 4, 4, 3), np.uint8)
    green[0, ..., 1] = 255
    assert measured(Samples({"x": green}, np.zeros(2)), spec)["brightness"][0] == pytest.approx(0.587)


def test_recordings_have_loudness_without_their_padding() -> None:
    wave = np.zeros((3, 100), np.float32)
    wave[0], wave[1, :50] = 0.1, 0.1
    inputs, lengths = {"x": wave, "t" + LENGTHS: np.array([100, 50, 10])}, "t:10..100"
    spec = Input(shape=(lengths,), audio=Audio(rate=16000))
    values = measured(Samples(inputs, np.zeros(3)), spec)
    assert values["loudness"].tolist() == pytest.approx([-20, -20, -120], abs=1e-4)
    assert values["length"].tolist() == [100, 50, 10]


def test_texts_have_a_length_and_series_a_variance() -> None:
    tokens = np.array([[5, 6, 0, 0], [5, 6, 7, 8]])
    assert measured(Samples({"x": tokens}, np.zeros(2)), Input(shape=(4,), dtype="int64", vocabulary=10)) == {
        "length": pytest.approx([2, 4])
    }
    series = np.array([[0, 2, 0, 2], [1, 1, 1, 1]], np.float32)
    assert measured(Samples({"x": series}, np.zeros(2)), Input(shape=(4,))) == {"variance": pytest.approx([1, 0])}
    assert measured(Samples({"x": tokens}, np.zeros(2)), Input(shape=(4,), dtype="int64")) == {}


def test_clusters_are_what_lies_together_the_same_every_time() -> None:
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [9, 0], [0, 9], [9, 9]])[np.arange(400) % 4]
    points = (centres + rng.normal(0, 0.2, (400, 2))).astype(np.float32)
    places = assigned(points)
    assert np.array_equal(places, assigned(points))
    for cluster in np.unique(places):
        assert len(np.unique(np.arange(400)[places == cluster] % 4)) == 1
    words = [each.words for each in by_cluster(points, lambda i: "abcd"[i % 4])]
    assert "which the reference answers 'a' in 100 %" in " ".join(words)
    assert sum(int(each.members.sum()) for each in by_cluster(points, str)) == 400
    assert "answers" not in next(by_cluster(points, str)).words


def test_too_few_samples_or_one_answer_to_all_make_no_cluster() -> None:
    assert list(by_cluster(np.zeros((40, 3)), str)) == []
    assert list(by_cluster(np.ones((400, 3)), str)) == []


def test_classes_go_by_name() -> None:
    assert [(each.name, int(each.members.sum())) for each in by_class(np.array([0, 2, 0]), ("cat", "dog"))] == [
        ("cat", 2),
        ("class 2", 1),
    ]
