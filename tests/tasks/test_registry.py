"""The task of a project: by name, with the options of its `[task]` table, checked without loading anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from edgekit.errors import DataError, SpecError, UnknownName
from edgekit.specs.inputs import Input
from edgekit.specs.model import ModelSpec
from edgekit.specs.project import Project
from edgekit.tasks.classification import Classification
from edgekit.tasks.registry import task_named, task_names, task_of
from edgekit.tasks.regression import Regression

LOGITS = {"output": np.array([[0.0, 1.0], [1.0, 0.0]])}
LABELS = np.array([1, 1])


def test_a_task_goes_by_its_name_and_its_options() -> None:
    assert task_named("regression", {"metric": "mae", "unit": "m"}) == Regression(metric_name="mae", unit="m")
    assert {"classification", "multi-label", "regression"} <= set(task_names())


def test_an_unknown_task_names_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no task is named 'regresion'") as caught:
        task_named("regresion")
    assert "regression" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrik": "top5"}, r"\[task\]: 'metrik': no such key"),
        ({"metric": "top9"}, r"\[task\]: 'metric': input should be 'top1', 'top5' or 'f1'"),
        ({"decode": "boxes"}, "'task.decode': expected 'file.py:name'"),
    ],
)
def test_a_wrong_option_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        task_named("classification", options)


@pytest.mark.parametrize(
    ("task", "options"), [("detection", {"decoder": "decoded"}), ("keypoints", {}), ("detection", {"decode": "a.py:b"})]
)
def test_a_size_of_no_input_is_refused_with_that_of_the_input(task: str, options: dict[str, Any]) -> None:
    """Boxes would be scaled, cut and matched in a picture that does not exist."""

    def project(size: tuple[int, int], **inputs: list[int | str]) -> Project:
        stated = {name: Input.model_validate({"shape": shape}) for name, shape in inputs.items()}
        tables = {"decoder": "decoded", **options, "size": list(size)} if task == "detection" else {"size": list(size)}
        return cast(Any, Project).model_construct(  # type: ignore[no-any-return]
            root=Path(), model=ModelSpec.model_construct(task=task), task=tables, inputs=stated
        )

    for size, inputs in (
        ((96, 128), {"image": [3, 96, 128]}),
        ((96, 128), {"image": [96, 128, 3]}),
        ((960, 1280), {"image": [3, 96, 128]}),  # boxes in the pixels of the camera's picture
        ((96, 128), {"scale": [1], "image": [3, "h:64..128:32", "w:64..128:32"]}),
        ((96, 128), {"pixels": [96 * 128]}),
    ):
        task_of(project(size, **inputs))
    with pytest.raises(SpecError, match=r"'task.size': is \[128, 96\].*'image' is \[3, 96, 128\]") as caught:
        task_of(project((128, 96), image=[3, 96, 128]))
    assert "size = [96, 128]" in str(caught.value.hint)


def test_a_function_that_fails_is_told_what_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def wrong(outputs):\n    return {'scores': outputs['output_0']}\n"
        "def score(outputs, labels):\n    return outputs['other']\n"
    )
    task = task_named("classification", {"decode": "mine.py:wrong"}, tmp_path)
    with pytest.raises(DataError, match="KeyError: 'output_0'") as caught:
        task.check(LOGITS, LABELS)
    assert "the model's: 'output' [2, 2]" in str(caught.value.hint)
    task = task_named("classification", {"metric": "mine.py:score"}, tmp_path)
    with pytest.raises(DataError, match="KeyError: 'other'") as caught:
        task.score(task.answers(LOGITS), LABELS)
    assert "outputs are 'output' [2, 2]" in str(caught.value.hint)


def test_functions_of_the_project_decode_outputs_and_score_them(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def turned(outputs):\n    return {'scores': -outputs['output']}\n"
        "def half(outputs, labels):\n    return 0.5 * (outputs['scores'].argmax(1) == labels)\n"
    )
    task = task_named("classification", {"decode": "mine.py:turned", "metric": "mine.py:half"}, tmp_path)
    task.check(LOGITS, LABELS)
    answers = task.answers(LOGITS)
    assert task.score(answers, LABELS).each.tolist() == [0.0, 0.5]
    assert task.metric.name == "half"
    assert task.agreement(answers, task.answers({"output": -LOGITS["output"]})).tolist() == [0.0, 0.0]
    assert task.distinct(answers) == 2
    assert task.chance(LABELS) is None
    assert task.show(answers, 0, ("cat", "dog")) == "cat"
    plain = task_named("classification", {"decode": "mine.py:turned"}, tmp_path)
    assert plain.score(plain.answers(LOGITS), LABELS).value == 0.5
    assert plain.metric == Classification().metric


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return [0.5]", r"'bad.py:f' gave float64 \[1\]"),
        ("return [0.5, 2.0]", "'bad.py:f' gave a score outside 0 to 1"),
        ("return ['a', 'b']", "'bad.py:f' gave <U1"),
        ("raise KeyError('x')", r"'bad.py:f' failed at bad.py:2 in f: KeyError: 'x'"),
    ],
)
def test_a_scoring_function_that_gives_no_scores_is_blamed(tmp_path: Path, body: str, message: str) -> None:
    (tmp_path / "bad.py").write_text(f"def f(outputs, labels):\n    {body}\n")
    task = task_named("classification", {"metric": "bad.py:f"}, tmp_path)
    with pytest.raises(DataError, match=message):
        task.score(task.answers(LOGITS), LABELS)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return 3", "'bad.py:f' gave int"),
        ("return {}", "'bad.py:f' gave dict"),
        ("return {'a': [1]}", r"'bad.py:f' gave 'a' as int64 \[1\] for 2 samples"),
    ],
)
def test_a_decoder_that_gives_no_arrays_is_blamed(tmp_path: Path, body: str, message: str) -> None:
    (tmp_path / "bad.py").write_text(f"def f(outputs):\n    {body}\n")
    with pytest.raises(DataError, match=message):
        task_named("classification", {"decode": "bad.py:f"}, tmp_path).check(LOGITS, LABELS)
