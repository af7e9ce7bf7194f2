"""Networks that cannot be captured: the message names the place and the construct, and the hint's rewrite works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from edgekit.errors import EdgekitError, LoweringError, SpecializedCapture
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
WITHOUT_CASE = ("value", "quantized-module", "extra-argument")
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
    assert {case.key for case in CASES} | set(WITHOUT_CASE) == set(BY_KEY)
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
                # A program has the batch axis first, and gives one to an output without it.
                shaped = answer.reshape(expected.shape)
                torch.testing.assert_close(shaped, expected, rtol=1e-4, atol=1e-5, equal_nan=True)


def tensors(results: Any) -> list[Tensor]:
    """Tensors of what a network returned, also in an object or a generator."""
    if hasattr(results, "tensors"):
        results = results.tensors()
    elif hasattr(results, "__next__"):
        results = torch.stack(list(results))
    return [leaf for leaf in pytree.tree_leaves(results) if isinstance(leaf, Tensor)]


def message_of(folder: Path, model: str, toml: str = TOML) -> tuple[str, str]:
    """Message and hint with which a network is refused."""
    with pytest.raises(EdgekitError) as caught:
        capture(load(project(folder, model, toml)))
    return str(caught.value), str(caught.value.hint)


def test_a_value_that_is_asked_for_in_another_way_is_told_the_general_rewrite(tmp_path: Path) -> None:
    case = Case("value", "return x + bin(x[0, 0].argmax()).count('1')", "")
    message, hint = message_of(tmp_path / "failing", case.failing())
    assert f"'head' (Head) at model.py:23 in forward has {BY_KEY['value'].title}" in message
    assert hint == BY_KEY["value"].rewrite


@pytest.mark.parametrize(
    ("forward", "wrong"),
    [
        ("n = x.sum().item()\nreturn x if n else x.cos()", "torch.where(n,"),
        ("return F.interpolate(x, scale_factor=float(x.max()) + 1)", "scale_factor=x.max()"),
        ("return x if x.sum() else x.cos()", "torch.where(x.sum(),"),
        ("return (x, x) if x.sum() > 1 else (x, -x)", "torch.where(x.sum() > 1, (x, x)"),
    ],
    ids=["left before", "a number", "no bool", "tuples"],
)
def test_a_line_is_not_written_anew_where_that_would_be_wrong(tmp_path: Path, forward: str, wrong: str) -> None:
    _, hint = message_of(tmp_path / "failing", Case("", forward, "").failing())
    assert wrong not in hint
    assert "in general" not in hint


def test_a_network_with_fewer_arguments_than_inputs_is_told_so(tmp_path: Path) -> None:
    toml = TOML.replace("[data]", "[inputs.y]\nshape = [3, 8]\n\n[data]")
    message, hint = message_of(tmp_path / "failing", Case("", "return x", "").failing(), toml)
    assert "takes 2 positional arguments but 3 were given" in message
    assert hint == BY_KEY["extra-argument"].rewrite


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning", "ignore:.*:UserWarning", "ignore:.*:FutureWarning")
def test_a_network_that_is_quantized_already_is_told_so(tmp_path: Path) -> None:
    init = "self.linear = torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(8, 8)), {nn.Linear})"
    message, hint = message_of(tmp_path / "failing", Case("", "return self.linear(x)", "", init=init).failing())
    assert BY_KEY["quantized-module"].title in message
    assert hint == BY_KEY["quantized-module"].rewrite


def test_a_line_in_a_library_is_named_beside_the_user_s_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = tmp_path / "library"
    library.mkdir()
    (library / "branching.py").write_text(
        "from torch import nn\n\n\nclass Gate(nn.Module):\n    def forward(self, x):\n"
        "        return x if x.sum() > 0 else -x\n"
    )
    monkeypatch.syspath_prepend(library)
    case = Case("", "return self.gate(x)", "", init="self.gate = Gate()", top="from branching import Gate\n")
    message, hint = message_of(tmp_path / "failing", case.failing())
    where = "module 'head.gate' (Gate) at model.py:24 in forward (in "
    assert where in message
    assert "library/branching.py:6) has an 'if' on the value of a tensor" in message
    assert "write torch.where(x.sum() > 0, x, -x)" in hint


def test_what_no_construct_recognizes_keeps_torch_s_message(tmp_path: Path) -> None:
    forward = "if torch.compiler.is_exporting():\n    raise ValueError('not for export')\nreturn x"
    message, hint = message_of(tmp_path / "failing", Case("", forward, "").failing())
    assert "'head' (Head) at model.py:24 in forward could not be traced: ValueError: not for export" in message
    assert "docs/capture.md" in hint


def test_a_branch_that_only_a_sample_takes_is_seen_on_the_samples(tmp_path: Path) -> None:
    forward = "try:\n    if x[0, 0, 0] == 3.25:\n        return x * 2\nexcept RuntimeError:\n    pass\nreturn x + 1"
    model = load(project(tmp_path / "failing", Case("", forward, "").failing()))
    assert capture(model)
    with pytest.raises(SpecializedCapture, match=r"'head' \(Head\) at model\.py:25 in forward has a 'try'"):
        capture(model, [(torch.full((1, 3, 8), 3.25),)])
