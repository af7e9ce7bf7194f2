"""`[state]` in `edgekit.toml`: what fits, and what is refused before anything is loaded."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import EdgekitError, SpecError, StateUnsupported
from edgekit.pipeline.request import resolve_requests
from edgekit.specs.project import Project
from tests.stateful_projects import ACCUMULATOR, ACCUMULATOR_TOML, write

OUTPUTS = 'factory = "model.py:accumulator"\noutputs = ["sum", "total_out", "count_out", "steps"]'


def _read(folder: Path, *changes: tuple[str, str]) -> Project:
    toml = ACCUMULATOR_TOML
    for old, new in changes:
        assert old in toml
        toml = toml.replace(old, new)
    return Project.read(write(folder, ACCUMULATOR, toml))


def test_arguments_are_the_inputs_then_the_state_with_its_whole_shape(tmp_path: Path) -> None:
    arguments = _read(tmp_path).arguments
    assert list(map(str, arguments)) == ["x: float32[1, 3]", "total: float32[1, 3]", "count: int64[1]"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("total = {", "x = {"), "'x' is an input of [inputs] and of [state]"),
        (('from = "count_out"', 'from = "total_out"'), "two inputs of [state] come from output 'total_out'"),
        (("shape = [1, 3]", "shape = [1, 0]"), "every size in 'shape' must be above 0"),
        (("shape = [1, 3]", "shape = []"), "state.total.shape"),
        (("shape = [3]", "shape = [3]\nprefill = [8]"), "shape = [1], and dtype = 'int64'"),
        (("shape = [3]", 'shape = [1]\ndtype = "int64"\nprefill = [8]'), "state one with 'append' in [state]"),
        (("shape = [3]", 'shape = [1]\ndtype = "int64"\nprefill = [8, 4]'), "prefill = [16, 64]"),
        (("shape = [1, 3]", "shape = [1, 3], append = 2"), "'append' 2 is beyond a shape of 2 axes"),
        (("shape = [1, 3]", 'shape = [1, 3], append = 1, initial = "h.npy"'), "is empty before the first step"),
        (("shape = [1, 3]", 'shape = [1, 3], initial = "ones"'), "'zeros', or a .npy file"),
        (("shape = [1, 3]", 'shape = [1, 3], initial = "../h.npy"'), "'zeros', or a .npy file"),
        (("shape = [1, 3]", 'shape = [1, 3], reset = "never"'), "no such key"),
        (('dtype = "int64"', 'dtype = "int8"'), "state.count.dtype"),
        (("[data]", '[reference]\nurl = "http://localhost:8000/v2/models/m"\n[data]'), "no reference behind a server"),
        (('factory = "model.py:accumulator"', OUTPUTS.replace("total_out", "other")), "state 'total' comes from"),
    ],
)
def test_state_that_does_not_fit_is_refused_by_name(tmp_path: Path, change: tuple[str, str], said: str) -> None:
    with pytest.raises(SpecError) as caught:
        _read(tmp_path, change)
    assert said in str(caught.value)
    assert "edgekit.toml" in str(caught.value)


def test_a_model_that_gives_only_state_is_refused(tmp_path: Path) -> None:
    only = 'factory = "model.py:accumulator"\noutputs = ["total_out", "count_out"]'
    with pytest.raises(SpecError, match="every output is state"):
        _read(tmp_path, ('factory = "model.py:accumulator"', only))


@pytest.mark.parametrize("overrides", [(), ("profile.prune=",)])
def test_profiles_that_prune_are_refused(tmp_path: Path, overrides: tuple[str, ...]) -> None:
    with pytest.raises(EdgekitError) as caught:
        resolve_requests(_read(tmp_path), "host", "onnx", "int8-pruned", overrides)
    assert overrides or isinstance(caught.value, StateUnsupported)
    assert caught.value.code in ("EK221", "EK104", "EK101")
