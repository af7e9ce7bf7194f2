"""What a project file may say, and how a wrong one is answered."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edgekit.errors import SpecError
from edgekit.specs.lengths import SYNTAX
from edgekit.specs.project import Project
from tests.networks import substitute

GOOD = """
[model]
factory = "model.py:net"
classes = ["cat", "dog"]
outputs = ["logits"]
[inputs.image]
shape = [3, 8, 6]
preprocess = { from = "uint8 NHWC", scale = 0.5, mean = [0.1, 0.2, 0.3], std = [1, 2, 3] }
[inputs.age]
shape = [1]
dtype = "int64"
[data]
evaluation = { path = "data.npz", licence = "CC0", source = "here" }
"""


def read(text: str, folder: Path) -> Project:
    (folder / "edgekit.toml").write_text(text, "utf-8")
    return Project.read(folder)


def test_a_project_is_named_after_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "keyword-spotter"
    folder.mkdir()
    project = read(GOOD, folder)
    assert project.name == "keyword-spotter"
    assert project.root == folder.resolve()


def test_pixels_are_raw_and_everything_else_is_as_stated(tmp_path: Path) -> None:
    inputs = read(GOOD, tmp_path).inputs
    assert (inputs["image"].raw_shape, inputs["image"].raw_dtype) == ((8, 6, 3), "uint8")
    assert (inputs["age"].raw_shape, inputs["age"].raw_dtype) == ((1,), "int64")


def test_inputs_keep_the_order_of_the_file(tmp_path: Path) -> None:
    assert list(read(GOOD, tmp_path).inputs) == ["image", "age"]


def test_one_mean_may_serve_every_channel(tmp_path: Path) -> None:
    project = read(substitute("[0.1, 0.2, 0.3]", "[0.5]", GOOD), tmp_path)
    assert project.inputs["image"].preprocess
    assert project.inputs["image"].preprocess.mean == (0.5,)


def test_a_missing_file_names_the_folder_and_says_what_to_type(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"no 'edgekit\.toml' in '.*'") as error:
        Project.read(tmp_path / "nowhere")
    assert error.value.hint
    assert "--example digits" in error.value.hint


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"[model", "is not TOML"),
        (b"model = {", "is not TOML"),
        (b"\xff\xfe", "cannot be read"),
        (b"", "'model': is missing"),
        (b"x = " + b"9" * 5000, "is not TOML"),
        (b"x = " + b"[" * 20000, "is nested too deeply"),
    ],
)
def test_a_file_that_is_no_project_is_named(tmp_path: Path, text: bytes, message: str) -> None:
    (tmp_path / "edgekit.toml").write_bytes(text)
    with pytest.raises(SpecError, match=message) as error:
        Project.read(tmp_path)
    assert "edgekit.toml" in str(error.value)


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (("factory", "factry"), r"'model\.factry': no such key", "did you mean 'factory'?"),
        (("[model]", "[modl]"), "'model': is missing", "did you mean 'model', where 'modl' stands?"),
        (("[data]", "[data]\nevalution = 1"), r"'data\.evalution': no such key", "did you mean 'evaluation'?"),
        (("scale", "scal"), r"'inputs\.image\.preprocess\.scal': no such key", "did you mean 'scale'?"),
        (("shape = [1]", "shape = [1]\nshpe = 1"), r"'inputs\.age\.shpe': no such key", "did you mean 'shape'?"),
        (("[model]", 'name = "x"\n[model]'), "'name': no such key", "it follows from where the file is: leave it out"),
        (("[model]", 'root = "/"\n[model]'), "'root': no such key", "it follows from where the file is: leave it out"),
        (("model.py:net", "model.net"), r"'model\.factory': expected 'file\.py:name'", None),
        (("model.py:net", "model.py:1net"), r"'model\.factory': expected 'file\.py:name'", None),
        (('"model.py:net"', "3"), r"'model\.factory': input should be a valid string", None),
        (('["cat", "dog"]', "3"), r"'model\.classes': input should be a valid string", None),
        (('["logits"]', '["a", "a"]'), r"'model\.outputs': two outputs have one name", None),
        (('"logits"', '"../up"'), r"'model\.outputs\.0': '\.\./up' cannot name a tensor", None),
        (("inputs.age", 'inputs."../up"'), r"'inputs\.\.\./up': '\.\./up' cannot name a tensor", None),
        (("inputs.age", "inputs.labels"), r"'inputs\.labels': an input cannot be named 'labels'", None),
        (("shape = [1]", 'shape = ["1"]'), r"'inputs\.age\.shape\.0': '1' is no free length", SYNTAX),
        (("shape = [1]", "shape = 1"), r"'inputs\.age\.shape': should be a list", None),
        (("shape = [1]", "shape = [0]"), r"'inputs\.age\.shape': every size in 'shape' must be above 0", None),
        (("int64", "int4"), r"'inputs\.age\.dtype': input should be 'float16', 'float32', ", None),
        (("[3, 8, 6]", "[8, 6]"), r"'inputs\.image': preprocessing of 'uint8 NHWC' needs a shape of \[channels", None),
        (("[3, 8, 6]", '[3, 8, 6]\ndtype = "uint8"'), r"'inputs\.image': preprocessing gives float32", None),
        (("[1, 2, 3]", "[1, 0, 3]"), r"'inputs\.image\.preprocess\.std': every 'std' must be above 0", None),
        (("[1, 2, 3]", "[1, inf, 3]"), r"'inputs\.image\.preprocess\.std\.1': input should be a finite number", None),
        (("[1, 2, 3]", "[1, 2]"), r"'inputs\.image': 'std' needs 1 or 3 values, one a channel", None),
        (("[0.1, 0.2, 0.3]", "[]"), r"'inputs\.image': 'mean' needs 1 or 3 values, one a channel", None),
        (
            ("shape = [1]", "shape = [1]\nbatch_axis = 2"),
            r"'inputs\.age': 'batch_axis' 2 is beyond a shape of 1 axes",
            None,
        ),
        (("scale = 0.5", "scale = 0"), r"'inputs\.image\.preprocess\.scale': input should be greater than 0", None),
        (
            ("shape = [3, 8, 6]", "shape = [3, 8, 6]\nbatch_axis = 1"),
            r"'inputs\.image': pixels of 'uint8 NHWC' have",
            None,
        ),
        (("scale = 0.5", "scale = nan"), r"'inputs\.image\.preprocess\.scale': input should be a finite", None),
        (("scale = 0.5", "scale = true"), r"'inputs\.image\.preprocess\.scale': input should be a valid number", None),
        (("uint8 NHWC", "uint8 NCHW"), r"'inputs\.image\.preprocess\.from': input should be 'uint8 NHWC'", None),
        (('path = "data.npz"', 'path = "x", loader = "d.py:f"'), r"'data\.evaluation': a data set needs exactly", None),
        (('path = "data.npz", ', ""), r"'data\.evaluation': a data set needs exactly one of 'path' and 'load", None),
        (
            ('licence = "CC0", ', ""),
            r"'data\.evaluation\.licence': is missing",
            'state it under [data.evaluation]: licence = "TEXT"',
        ),
        (
            ("[data]", '[reference]\nurl = "easger"\n[data]'),
            r"'reference\.url': 'easger' is no way to a server: ",
            None,
        ),
    ],
)
def test_a_project_that_is_wrong_names_its_key(
    tmp_path: Path, change: tuple[str, str], message: str, hint: str | None
) -> None:
    assert change[0] in GOOD
    with pytest.raises(SpecError, match=rf"edgekit\.toml: {message}") as error:
        read(GOOD.replace(*change, 1), tmp_path)
    assert error.value.hint == hint


def test_a_project_without_inputs_is_refused(tmp_path: Path) -> None:
    head, _, tail = GOOD.partition("[inputs.image]")
    text = f"{head}[inputs]\n[data]{tail.partition('[data]')[2]}"
    with pytest.raises(SpecError, match="'inputs': should not be empty"):
        read(text, tmp_path)


PIECES = st.sampled_from(
    sorted({*GOOD.split(), *GOOD, "[[", "]]", "'''", "\\u0000", "nan", "1979-05-27", "0x", "é", "\n"})
)


@given(st.lists(PIECES, max_size=40).map(" ".join) | st.text(max_size=200))
@example("x = 1979-05-27T07:32:00Z")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_text_makes_it_fail_otherwise(tmp_path: Path, text: str) -> None:
    (tmp_path / "edgekit.toml").write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(SpecError, match=r"edgekit\.toml"):
        Project.read(tmp_path)


@given(st.integers(0, len(GOOD) - 1), st.integers(0, 30), PIECES)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_damage_to_a_good_file_makes_it_fail_otherwise(tmp_path: Path, at: int, cut: int, put: str) -> None:
    with contextlib.suppress(SpecError):
        assert read(GOOD[:at] + put + GOOD[at + cut :], tmp_path).inputs
