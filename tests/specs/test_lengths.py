"""Free lengths in a project file, and samples that do not keep to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgekit.errors import DataError, OutOfRange, SpecError
from edgekit.ir.signature import FreeLength
from edgekit.samples import Samples, load_samples
from edgekit.specs.lengths import default_buckets
from edgekit.specs.project import Project

HEAD = """
[model]
factory = "model.py:net"
task = "regression"
[data]
evaluation = { loader = "data.py:samples", licence = "none", source = "made up" }
"""
TOKENS = """
[inputs.tokens]
shape = ["t:4..16:4"]
dtype = "int64"
vocabulary = 10
mask = "mask"
pad = 7
[inputs.mask]
shape = ["t:4..16:4"]
dtype = "bool"
"""


def read(folder: Path, inputs: str, samples: str = "[]") -> Project:
    (folder / "edgekit.toml").write_text(HEAD + inputs)
    (folder / "data.py").write_text(f"import numpy as np\n\n\ndef samples():\n    return {samples}\n")
    return Project.read(folder)


@pytest.mark.parametrize(
    ("inputs", "message", "hint"),
    [
        ('[inputs.x]\nshape = ["t:8..4"]', r"'inputs\.x\.shape\.0': .* ends before it begins", '"t:4..8"'),
        ('[inputs.x]\nshape = ["t:1..8:0"]', "has a step of 0", '"t:1..8"'),
        ('[inputs.x]\nshape = ["t:0..8"]', "begins at 0", '"t:1..8"'),
        ('[inputs.x]\nshape = ["t:1..9:5"]', "steps of 5 from 1 do not reach 9", '"t:1..6:5"'),
        ('[inputs.x]\nshape = ["64"]', "'64' is no free length", "NAME:LEAST..MOST"),
        ('[inputs.x]\nshape = ["t:1..8"]\n[inputs.y]\nshape = ["t:1..9"]', "input 'y' states 't:1..9'", "one length"),
        ('[inputs.x]\nshape = ["t:1..8"]\nbuckets = [4]', "the last bucket holds 4", "buckets = [1, 2"),
        ('[inputs.x]\nshape = ["t:1..8"]\nbuckets = [9]', "bucket 9 is no length", "buckets = [1, 2"),
        ('[inputs.x]\nshape = ["h:1..2", "w:1..2"]\nbuckets = [2]', "2 free lengths, and one list", "h = "),
        ('[inputs.x]\nshape = ["t:1..8"]\nmask = "m"', "the mask of 'x', 'm', is no input", "[inputs.m]"),
        ('[inputs.x]\nshape = [8]\nmask = "m"', "has no free length", "leave 'mask' out"),
        ("[inputs.x]\nshape = [8]\nvocabulary = 5", "a vocabulary is of integers", "int64"),
        ('[inputs.x]\nshape = [8]\ndtype = "int64"\npad = 0.5', "cannot hold the padding 0.5", "pad = 0"),
    ],
)
def test_a_wrong_length_names_its_key_and_says_what_to_type(
    tmp_path: Path, inputs: str, message: str, hint: str
) -> None:
    with pytest.raises(SpecError, match=message) as refused:
        read(tmp_path, inputs)
    assert hint in str(refused.value.hint)


def test_samples_are_padded_with_lengths_beside_them_and_a_mask_is_made(tmp_path: Path) -> None:
    project = read(tmp_path, TOKENS, "[(np.arange(4), 0), (np.arange(8), 1)]")
    samples = load_samples(project, "evaluation")
    np.testing.assert_array_equal(samples.inputs["tokens"], [[0, 1, 2, 3, 7, 7, 7, 7], range(8)])
    np.testing.assert_array_equal(samples.inputs["mask"], [[True] * 4 + [False] * 4, [True] * 8])
    np.testing.assert_array_equal(samples.inputs["t.length"], [4, 8])
    samples.save(tmp_path)
    assert Samples.read(tmp_path).digest == samples.digest
    np.testing.assert_array_equal(samples.take([0]).inputs["t.length"], [4])


@pytest.mark.parametrize(
    ("sample", "error", "message"),
    [
        ("np.arange(5)", OutOfRange, "sample 0: 'tokens' has the length 5 on axis 0, the project states 4 to 16 in"),
        ("np.zeros(20, np.int64)", OutOfRange, "has the length 20"),
        ("np.full(4, 10)", OutOfRange, "'tokens' holds the token 10, the vocabulary has 0 to 9"),
        ("np.full(4, -1)", OutOfRange, "holds the token -1"),
        ("np.zeros((4, 4), np.int64)", DataError, "has shape"),
        ("{'tokens': np.arange(4), 'mask': np.ones(8, bool)}", OutOfRange, "'t' is 4 in 'tokens' and 8 in 'mask'"),
    ],
)
def test_a_sample_outside_its_range_is_named(tmp_path: Path, sample: str, error: type[DataError], message: str) -> None:
    with pytest.raises(error, match=message) as refused:
        load_samples(read(tmp_path, TOKENS, f"[({sample}, 0)]"), "evaluation")
    assert refused.value.hint


def test_a_sample_of_another_type_is_told_the_conversion(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'tokens' is int32, the project states int64") as refused:
        load_samples(read(tmp_path, TOKENS, "[(np.zeros(4, np.int32), 0)]"), "evaluation")
    assert ".astype('int64')" in str(refused.value.hint)


def test_buckets_are_few_and_hold_the_greatest_length() -> None:
    assert default_buckets(FreeLength("t", 8, 64, 8)) == (8, 16, 24, 32, 40, 48, 56, 64)
    assert default_buckets(FreeLength("t", 1, 128)) == (1, 2, 4, 8, 16, 32, 64, 128)
    assert default_buckets(FreeLength("t", 128, 640, 32)) == (128, 256, 512, 640)
    for length in (FreeLength("t", 3, 1000, 1), FreeLength("t", 7, 91, 7), FreeLength("t", 1, 100_000, 3)):
        buckets = default_buckets(length)
        assert len(buckets) <= 8
        assert buckets[-1] == length.most
        assert all(bucket in length for bucket in buckets)
