"""Both endpoints are asked for other samples: in few runs, once, and from where a run broke off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from edgekit.cache import Cache
from edgekit.errors import Unreachable
from edgekit.ir.measurement import Array, Measurement, no_latency
from edgekit.ir.validity import NOT_ASKED
from edgekit.measure.joint_sets import joint_sets
from edgekit.measure.shards import Shards, answer_in_shards
from edgekit.pipeline.both_endpoints import BothEndpoints, Respondent
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.sample_sets import SampleSet
from edgekit.samples import Samples
from tests.measure.test_store import ENVIRONMENT


def samples(value: float, count: int = 5, width: int = 3) -> Samples:
    return Samples({"x": np.full((count, width), value, np.float32)}, np.arange(count))


@dataclass
class Endpoint:
    """Endpoint that multiplies, counts its runs and may break off."""

    factor: float
    runs: list[int] = field(default_factory=list)
    fails_after: int | None = None

    def measure(self, asked_for: Samples, shards: Shards) -> Measurement:
        def ask(part: Samples) -> dict[str, Array]:
            if self.fails_after is not None and sum(self.runs) >= self.fails_after:
                raise Unreachable("gone")
            self.runs.append(len(part))
            return {"y": part.inputs["x"] * np.float32(self.factor)}

        rule = shards.of("device", asked_for.digest)
        outputs, _ = answer_in_shards(asked_for, ask, replace(rule, first=4, bytes=48))
        return Measurement(
            outputs, asked_for.labels, asked_for.digest, no_latency(), 0, 0, None, ENVIRONMENT, NOT_ASKED
        )


def both(folder: Path, theirs: Endpoint, ours: Endpoint, key: Callable[[], str] | None = None) -> BothEndpoints:
    line = StageRunner(Cache(folder))
    return BothEndpoints(Respondent(theirs.measure, lambda: "theirs"), Respondent(ours.measure, key), line, "pi")


SETS = tuple(SampleSet(f"set {i}", lambda i=i: samples(i), f"set {i}") for i in range(4))  # type: ignore[misc]


def test_each_set_gets_its_own_answers_from_joint_runs(tmp_path: Path) -> None:
    theirs, ours = Endpoint(1), Endpoint(2)
    pairs = list(both(tmp_path, theirs, ours).ask(SETS, "others"))
    assert [pair.name for pair in pairs] == ["set 0", "set 1", "set 2", "set 3"]
    for i, pair in enumerate(pairs):
        assert pair.reference.samples_digest == pair.candidate.samples_digest == samples(i).digest
        np.testing.assert_array_equal(pair.reference.outputs["y"], np.full((5, 3), i))
        np.testing.assert_array_equal(pair.candidate.outputs["y"], np.full((5, 3), 2 * i))


def test_answers_with_a_key_are_found_without_making_the_samples(tmp_path: Path) -> None:
    theirs, ours = Endpoint(1), Endpoint(2)
    first = list(both(tmp_path, theirs, ours, lambda: "ours").ask(SETS, "others"))
    unmade = [replace(each, make=lambda: pytest.fail("made again")) for each in SETS]
    again = list(both(tmp_path, Endpoint(9), Endpoint(9), lambda: "ours").ask(unmade, "others"))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.candidate.outputs["y"], other.candidate.outputs["y"])
    other_model = Endpoint(3)
    list(both(tmp_path, Endpoint(9), other_model, lambda: "another").ask(SETS, "others"))
    assert sum(other_model.runs) == 20


def test_a_set_without_an_identity_is_known_by_its_samples(tmp_path: Path) -> None:
    sets = [replace(each, identity=None) for each in SETS]
    list(both(tmp_path, Endpoint(1), Endpoint(2), lambda: "ours").ask(sets, "others"))
    theirs, ours = Endpoint(9), Endpoint(9)
    pairs = list(both(tmp_path, theirs, ours, lambda: "ours").ask(sets, "others"))
    assert theirs.runs == ours.runs == []
    np.testing.assert_array_equal(pairs[3].candidate.outputs["y"], np.full((5, 3), 6))


def test_a_device_that_breaks_off_is_asked_only_for_the_rest(tmp_path: Path) -> None:
    broken = Endpoint(2, fails_after=8)
    with pytest.raises(Unreachable, match="gone"):
        list(both(tmp_path, Endpoint(1), broken).ask(SETS, "others"))
    assert sum(broken.runs) == 8
    theirs, whole = Endpoint(9), Endpoint(2)
    pairs = list(both(tmp_path, theirs, whole).ask(SETS, "others"))
    assert sum(whole.runs) == 12
    assert theirs.runs == []
    np.testing.assert_array_equal(pairs[1].candidate.outputs["y"], np.full((5, 3), 2))
    assert not list((tmp_path / "probes").iterdir())


def test_sets_of_other_shapes_and_large_ones_are_not_joined() -> None:
    sets = [("a", samples(0)), ("b", samples(1)), ("c", samples(2, width=4)), ("d", samples(3, width=4))]
    assert [joint.names for joint in joint_sets(sets)] == [("a", "b"), ("c", "d")]
    assert [joint.names for joint in joint_sets(sets, most_bytes=130)] == [("a", "b"), ("c",), ("d",)]
    assert [joint.names for joint in joint_sets(sets, most_bytes=1)] == [("a",), ("b",), ("c",), ("d",)]
