"""What goes into a pack, and in which version."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgekit.devices.packs.recipe import (
    NUMPY_1,
    NUMPY_2,
    RECIPES,
    STANDARD_LIBRARY,
    Files,
    recipe_for,
    recipe_of,
    versions_of,
)
from edgekit.errors import OptionError, UnknownName
from edgekit.runner.machine.runtime_versions import DISTRIBUTIONS

NAMES = st.lists(st.text("abc/.", min_size=1, max_size=6), max_size=8)


@given(NAMES)
def test_what_is_dropped_is_not_kept(paths: list[str]) -> None:
    chosen = Files(("a*", "b*"), ("*c*",)).chosen(paths)
    assert chosen == sorted(path for path in paths if path[0] in "ab" and "c" not in path)


def test_the_standard_library_goes_without_its_programs() -> None:
    kept = STANDARD_LIBRARY.chosen(["json/decoder.py", "idlelib/run.py", "json/tests/test.py", "turtle.py", "os.py"])
    assert kept == ["json/decoder.py", "os.py"]


@pytest.mark.parametrize(("files", "place"), [(NUMPY_1, "numpy/core"), (NUMPY_2, "numpy/_core")])
def test_numpy_goes_without_what_it_writes_into_its_documentation(files: Files, place: str) -> None:
    paths = [f"{place}/{name}.py" for name in ("_add_newdocs", "_add_newdocs_scalars", "numeric")]
    assert files.blank(paths) == paths[:2]
    assert files.chosen(paths) == paths


def test_every_runtime_that_the_runner_knows_has_a_pack() -> None:
    known = {(format, name) for format, names in DISTRIBUTIONS.items() for name in names}
    assert {(recipe.format, recipe.distribution) for recipe in RECIPES} == known


@pytest.mark.parametrize(("format", "distribution"), [("tflite", "ai-edge-litert"), ("pte", "executorch")])
def test_auto_is_the_preferred_runtime(format: str, distribution: str) -> None:
    assert recipe_for(format, "auto").distribution == distribution


def test_another_runtime_may_be_named() -> None:
    assert recipe_for("tflite", "tflite-runtime").distribution == "tflite-runtime"


def test_a_runtime_that_does_not_run_the_format_is_refused() -> None:
    with pytest.raises(OptionError, match=r"'onnxruntime' runs \.onnx, not \.tflite") as caught:
        recipe_for("tflite", "onnxruntime")
    assert caught.value.hint == "--runtime auto, or ai-edge-litert, tflite-runtime"


def test_a_runtime_that_is_none_is_told_the_nearest() -> None:
    with pytest.raises(UnknownName) as caught:
        recipe_for("tflite", "tflite-runtim")
    assert caught.value.hint == "did you mean 'tflite-runtime'?"


def test_the_version_is_the_bundles_then_ours_and_never_that_of_a_pinned_one() -> None:
    own = recipe_of("onnxruntime")
    assert versions_of(own, {}) == {"onnxruntime": version("onnxruntime"), "numpy": version("numpy")}
    assert versions_of(own, {"onnxruntime": "1.2.3", "torch": "9"})["onnxruntime"] == "1.2.3"
    pinned = versions_of(recipe_of("tflite-runtime"), {"numpy": "2.0.0"})
    assert pinned == {"tflite-runtime": "2.14.0", "numpy": "1.26.4"}


PACKED_NUMPY = """
import sys

class Dropped:
    def find_spec(self, name, path=None, target=None):
        if name in {packages}:
            raise ImportError(name + ' is not in the pack')

sys.meta_path.insert(0, Dropped())
import numpy as np
from edgekit.runner.processing.array_operations import FUNCTIONS
assert 'numpy.fft' not in sys.modules, 'imported for all'
x = np.arange(6.0)
for name, operation in FUNCTIONS.items():
    for arguments in ((x,), (x, 1), (x, x), (x, 50.0), (x, x, x), (8,), ([x, x],)):
        try:
            operation.call(*arguments)
        except ImportError as error:
            raise SystemExit(name + ': ' + str(error))
        except Exception:
            pass  # other arguments than this function takes
"""


def test_functions_of_preprocessing_need_no_part_of_numpy_that_packs_leave_out() -> None:
    packages = {name[:-2].replace("/", ".") for name in NUMPY_2.dropped if name.count("/") == 2 and name.endswith("/*")}
    assert {"numpy.random", "numpy.testing"} <= packages
    source = PACKED_NUMPY.replace("{packages}", repr(packages))
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr
