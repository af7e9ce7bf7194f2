"""A model that cannot be taken through the compiler: exit 3, with the module and the line where there are some."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Command
from tests.networks import substitute, write_project

pytestmark = pytest.mark.lowers

MODEL = """
import torch
from torch import nn

@torch.library.custom_op("strange::twice", mutates_args=())
def twice(x: torch.Tensor) -> torch.Tensor:
    return 2 * x


@twice.register_fake
def _(x):
    return torch.empty_like(x)


class Head(nn.Module):
    def forward(self, x):
        return x + 1


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3)
        self.head = Head()

    def forward(self, x):
        return self.head(self.stem(x).mean((2, 3)))


def net():
    torch.manual_seed(0)
    return Net().eval()
"""
LINE = 1 + MODEL.splitlines().index("        return x + 1")
MADE = 1 + MODEL.splitlines().index("    return Net().eval()")
CALLED = 1 + MODEL.splitlines().index("        return self.head(self.stem(x).mean((2, 3)))")


def project(folder: Path, old: str, new: str) -> Path:
    """A project whose model differs in one place."""
    return write_project(folder / "bad", model=substitute(old, new, MODEL), samples=8)


def build(command: Command, folder: Path, backend: str, code: str, exit_code: int = 3) -> str:
    """What a float32 build of the project says as it is refused; it leaves nothing."""
    out = folder / "out"
    argv = ("build", "--project", folder / "bad", "--target", "host", "--backend", backend, "--profile", "float32")
    refusal = command(*argv, "--out", out).refused(code, exit_code)
    assert not out.exists()
    return refusal


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("return Net()", "raise OSError('gone')\n    Net()", "EK201", f"model.py:{MADE} in net: OSError: gone"),
        ("return Net()", "raise SystemExit(0)\n    Net()", "EK201", f"at model.py:{MADE} in net: SystemExit: 0"),
        ("return Net().eval()", "return {}", "EK201", "returned dict, not a torch.nn.Module"),
        ("def net():", "def net(size):", "EK201", "missing 1 required positional argument: 'size'"),
        ("from torch import nn", "from torch import nn, nothing", "EK201", "'model.py' could not be imported"),
        ("def net():", "def net(:", "EK201", "'model.py' could not be imported"),
        ("import torch\n", "import torch\nraise SystemExit(0)\n", "EK201", "'model.py' could not be imported"),
        ("nn.Conv2d(3,", "nn.Conv2d(1,", "EK202", f"failed on image [3, 8, 8] at model.py:{CALLED} in forward"),
        ("return x + 1", "raise SystemExit(0)", "EK202", f"at model.py:{LINE} in forward: SystemExit"),
        ("return x + 1", "return x if x.sum() > 0 else -x", "EK203", f"'head' (Head) at model.py:{LINE} in forward"),
        ("return x + 1", "return [x, 'more']", "EK203", "output 'output_1' is str, not a tensor"),
    ],
    ids=["raises", "exits", "no module", "argument", "import", "syntax", "exit", "shape", "quits", "branch", "text"],
)  # fmt: skip
def test_a_model_that_cannot_be_captured(
    command: Command, tmp_path: Path, old: str, new: str, code: str, words: str
) -> None:
    project(tmp_path, old, new)
    assert words in build(command, tmp_path, "onnx", code)


def test_a_factory_that_is_not_there_is_told_the_nearest(command: Command, tmp_path: Path) -> None:
    project(tmp_path, "def net():", "def nett():")
    refusal = build(command, tmp_path, "onnx", "EK101", 2)
    assert refusal.startswith("'model.py' has no 'net'\n  hint: did you mean 'nett'?; or write in model.py: def net():")


@pytest.mark.parametrize("backend", ["onnx", "tflite", "executorch"])
def test_an_operator_that_a_converter_lacks_is_named(command: Command, tmp_path: Path, backend: str) -> None:
    project(tmp_path, "return x + 1", "return x + torch.linalg.eigvalsh(x.T @ x)")
    refusal = build(command, tmp_path, backend, "EK206")
    assert "linalg_eigh" in refusal


@pytest.mark.parametrize("backend", ["onnx", "executorch"])
def test_an_operator_of_the_user_s_own_is_named_with_its_line(command: Command, tmp_path: Path, backend: str) -> None:
    project(tmp_path, "return x + 1", "return torch.ops.strange.twice(x)")
    refusal = build(command, tmp_path, backend, "EK206")
    assert (
        f"operator 'strange.twice' in module 'head', at model.py:{LINE} in forward is known to your own code" in refusal
    )


@pytest.mark.parametrize(
    ("backend", "new", "title"),
    [
        ("tflite", "return x / x.abs().max().item()", "has the value of a tensor as a Python number"),
        ("onnx", "return x / torch.masked_select(x, x > 0).sum()", "has a selection by a mask"),
        ("executorch", "return torch.fft.fft(x).abs()", "has complex numbers"),
    ],
    ids=["item", "masked_select", "complex"],
)
def test_what_a_converter_refuses_is_named_by_its_construct(
    command: Command, tmp_path: Path, backend: str, new: str, title: str
) -> None:
    project(tmp_path, "return x + 1", new)
    refusal = build(command, tmp_path, backend, "EK206")
    assert f"module 'head' (Head) at model.py:{LINE} in forward {title}" in refusal
    assert new in refusal
    assert "hint: keep the" in refusal or "hint: compute the real" in refusal


def test_an_operator_that_has_no_part_in_a_construct_keeps_its_own_message(command: Command, tmp_path: Path) -> None:
    project(tmp_path, "return x + 1", "return torch.special.bessel_j0(torch.fft.fft(x).real)")
    refusal = build(command, tmp_path, "onnx", "EK206")
    assert "ONNX has no operator for" in refusal
    assert "complex" not in refusal
