"""An accelerator that a user names, and the kind that it is for a format."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edgekit.errors import AcceleratorMissing, OptionError, UnknownName
from edgekit.ir.artifact import Format
from edgekit.runner.errors import RunnerError
from edgekit.runner.model.accelerator import Accelerator, accelerator_of
from edgekit.runner.runtimes.onnx_provider import Provider, provider_of
from edgekit.specs.accelerator import AUTO, AcceleratorChoice


def test_a_name_is_a_kind_by_the_format_of_the_model() -> None:
    assert AcceleratorChoice("gpu").request("tflite") == Accelerator("litert-gpu")
    assert AcceleratorChoice("npu").request("onnx") == Accelerator("qnn-htp")
    assert AcceleratorChoice("gpu").request("onnx") == AcceleratorChoice("gpu", ("kind=webgpu",)).request("onnx")
    assert AcceleratorChoice("cpu").request("pte") == Accelerator("cpu")
    assert AUTO.request("tflite") is None


def test_a_format_that_has_no_such_accelerator_says_which_it_has() -> None:
    with pytest.raises(
        AcceleratorMissing,
        match=r"no runtime of edgekit runs \.pte on 'gpu', which runs \.tflite and \.onnx; Vulkan, by Exec",
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


OPENVINO = Path(__file__).parents[1] / "plugin" / "edgekit_plain" / "catalog"


def named(*options: str, format: Format = "onnx") -> Accelerator:
    request = AcceleratorChoice("gpu", ("kind=openvino", *options), project=OPENVINO).request(format)
    assert request
    return request


def test_a_kind_of_a_package_runs_by_its_execution_provider_with_its_options() -> None:
    provider = provider_of(named("packages=/opt/openvino", "device_type=CPU", "cpu=false"))
    assert provider == Provider(
        "OpenVINOExecutionProvider",
        "onnxruntime-openvino",
        options=(("device_type", "CPU"), ("precision", "ACCURACY")),
        cpu=("device_type=CPU",),
    )
    assert dict(named().options)["option.device_type"] == "GPU"
    assert provider_of(Accelerator("webgpu")) is None


@pytest.mark.parametrize(
    ("option", "error", "words"),
    [
        ("device_type=TPU", OptionError, "'device_type' of 'openvino' is not 'TPU'"),
        ("divice_type=CPU", OptionError, "'openvino' has no option 'divice_type'"),
        ("packages=", OptionError, "'packages' of 'openvino' is not ''"),
        ("kind=openvin", UnknownName, "no file states the accelerator 'openvin'"),
        ("kind=qnn-htp", OptionError, "'qnn-htp' runs on the npu"),
        ("kind=vulkan", AcceleratorMissing, "'vulkan' does not run .onnx by edgekit"),
        ("kind=litert-gpu", AcceleratorMissing, "'litert-gpu' does not run .onnx by edgekit, it runs .tflite"),
    ],
)
def test_a_kind_or_an_option_that_does_not_exist_is_refused(option: str, error: type[Exception], words: str) -> None:
    options = (option,) if option.startswith("kind") else ("kind=openvino", option)
    with pytest.raises(error, match=re.escape(words)):
        AcceleratorChoice("gpu", options, project=OPENVINO).request("onnx")


def test_a_provider_of_onnxruntime_runs_no_other_format() -> None:
    with pytest.raises(AcceleratorMissing, match=r"'openvino' does not run \.pte by edgekit, it runs \.onnx"):
        named(format="pte")
