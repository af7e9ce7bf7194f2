"""Networks that cannot be captured: the message names the place and the construct, and the hint's rewrite works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from edgekit.errors import EdgekitError, LoweringError
from edgekit.frontend.capture import capture
from edgekit.frontend.constructs.catalog import CONSTRUCTS
from edgekit.frontend.constructs.construct import Construct
from edgekit.frontend.load import load
from edgekit.frontend.lowering_failures import lowering_error
from edgekit.frontend.preprocess import Deployed
from edgekit.frontend.specialization import probes
from edgekit.specs.factory import resolve
from edgekit.specs.project import Project
from tests.frontend.capture_cases import CASES, TOML, Case

BY_KEY: dict[str, Construct] = {construct.key: construct for construct in CONSTRUCTS}
UNSEEN = ("value", "quantized-module", "extra-argument")
"""Constructs with tests of their own."""

every_case = pytest.mark.parametrize("case", CASES, ids=[f"{case.key}-{i}" for i, case in enumerate(CASES)])
pytestmark = [
    pytest.mark.filterwarnings(f"ignore:{text}:UserWarning")
    for text in ("The PyTorch API of nested", "The tensor attribute", "The .grad attribute", ".*Sparse.* support")
]
NO_ANSWER = ("device-move", "missing-argument", "dictionary-input", "expanded-write", "draw", "created-module")
"""Constructs whose failing network answers nothing, or something else each time."""


def project(folder: Path, model: str, toml: str = TOML) -> Project:
    folder.mkdir()
    (folder / "model.py").write_text(model)
    (folder / "edgekit.toml").write_text(toml)
    np.savez(folder / "data.npz", x=np.zeros((2, 3, 8), np.float32), labels=np.zeros(2, np.int64))
    return Project.read(folder)


def refusal(project: Project, case: Case) -> EdgekitError:
    """Error with which the project's network is refused at the stage of the case."""
    if case.stage == "lower":
        program = capture(load(project))
        return lowering_error(LoweringError("ValueError"), program.exported)
    with pytest.raises(EdgekitError) as caught:
        capture(load(project))
    return caught.value


def test_every_construct_has_a_case() -> None:
    assert {case.key for case in CASES} | set(UNSEEN) == set(BY_KEY)
    assert len(BY_KEY) == len(CONSTRUCTS)


@every_case
def test_the_message_names_module_line_and_construct(tmp_path: Path, case: Case) -> None:
    source = case.failing()
    error = refusal(project(tmp_path / "failing", source), case)
    construct, line = BY_KEY[case.key], case.line or case.forward.splitlines()[0]
    number = 1 + next(i for i, text in enumerate(source.splitlines()) if line in text)
    assert error.code == case.code
    if case.key == "missing-argument":
        assert "missing 1 required positional argument: 'scale'" in str(error)
    elif case.code == "EK202":
        expected = f"forward, in module 'head' (Head), failed on x [3, 8] at model.py:{number} in forward: "
        assert expected in str(error)
    else:
        assert f"'head' (Head) at model.py:{number} in " in str(error)
        assert line in str(error)
        assert construct.title in str(error) or case.key == "output-value"
    assert case.hint
    assert case.hint in str(error.hint)
    assert construct.rewrite in str(error.hint)


@every_case
def test_the_rewrite_can_be_captured_and_answers_the_same(tmp_path: Path, case: Case) -> None:
    rewritten = load(project(tmp_path / "rewritten", case.rewritten()))
    program = capture(rewritten).exported.module()
    original = project(tmp_path / "failing", case.failing())
    for inputs in probes(rewritten.examples):
        with torch.no_grad():
            answers = tensors(program(*inputs))
            for answer, expected in zip(answers, tensors(rewritten.module(*inputs)), strict=True):
                torch.testing.assert_close(answer, expected, equal_nan=True)
            if case.key in NO_ANSWER or case.code == "EK212":
                continue
            # A fresh network for each input: some keep state.
            assert original.model.factory
            network = Deployed(resolve(original.model.factory, original.root)(), original.inputs).eval()
            for answer, expected in zip(answers, tensors(network(*(value.clone() for value in inputs))), strict=False):
                torch.testing.assert_close(answer, expected, rtol=1e-4, atol=1e-5, equal_nan=True)


def tensors(results: Any) -> list[Tensor]:
    """Tensors of what a network returned, also in an object or a generator."""
    if hasattr(results, "tensors"):
        results = results.tensors()
    elif hasattr(results, "__next__"):
        results = torch.stack(list(results))
    return [leaf for leaf in pytree.tree_leaves(results) if isinstance(leaf, Tensor)]
