"""An accelerator that a user names, and the kind that it is for a format."""

from __future__ import annotations

import pytest

from edgekit.errors import AcceleratorMissing, OptionError
from edgekit.runner.errors import RunnerError
from edgekit.runner.model.accelerator import Accelerator, accelerator_of
from edgekit.specs.accelerator import AUTO, AcceleratorChoice


def test_a_name_is_a_kind_by_the_format_of_the_model() -> None:
    assert AcceleratorChoice("gpu").request("tflite") == Accelerator("litert-gpu")
    assert AcceleratorChoice("npu").request("onnx") == Accelerator("qnn-htp")
    assert AcceleratorChoice("cpu").request("pte") == Accelerator("cpu")
    assert AUTO.request("tflite") is None


def test_a_format_that_has_no_such_accelerator_says_which_it_has() -> None:
    with pytest.raises(
        AcceleratorMissing, match=r"no runtime of edgekit runs \.pte on 'gpu', which runs \.tflite"
    ) as e:
        AcceleratorChoice("gpu").request("pte")
    assert e.value.code == "EK414"
    assert e.value.hint == "--accelerator auto|cpu"


@pytest.mark.parametrize(
    ("name", "option", "words"),
    [
        ("gpu", "enforce_f23=true", "has no option 'enforce_f23'"),
        ("gpu", "enforce_f32=yes", "is not 'yes'"),
        ("gpu", "enforce_f32", "is not ''"),
        ("cpu", "enforce_f32=true", "goes with --accelerator gpu"),
        ("auto", "enforce_f32=true", "goes with --accelerator gpu"),
        ("tpu", "", "no accelerator is named 'tpu'"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(name: str, option: str, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        AcceleratorChoice(name, (option,) if option else ()).request("tflite")  # type: ignore[arg-type]


def test_the_runner_reads_what_the_host_writes() -> None:
    request = AcceleratorChoice("gpu", ("enforce_f32=true", "cpu=false")).request("tflite")
    assert request
    _, kind, *options = request.arguments()
    assert accelerator_of(kind, [word for word in options if not word.startswith("--")]) == request


def test_the_runner_refuses_options_without_a_kind() -> None:
    with pytest.raises(RunnerError, match="NAME=VALUE") as refused:
        accelerator_of(None, ["enforce_f32=true"])
    assert refused.value.kind == "usage"
