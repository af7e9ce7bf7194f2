"""What a profile may say."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.errors import Misfit, SpecError
from edgekit.specs.catalog import Catalog, builtin_root
from edgekit.specs.profile import Bound, Gates, Profile
from edgekit.specs.target import RuntimeSpec

SMALLEST = """
schema = 1
summary = "As small as a profile can be."
families = ["host"]
"""

INT8 = (
    SMALLEST
    + """
[quantize]
weights = { granularity = "per-tensor" }
skip = ["stem.*"]
[gates]
agreement = { min = 0.9, confidence = 0.95 }
size_ratio = { max = 0.35 }
"""
)


def read(text: str, folder: Path) -> Profile:
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "mine.toml").write_text(text)
    return Catalog((folder,)).profile("mine")


def test_a_profile_without_quantize_is_float32(tmp_path: Path) -> None:
    profile = read(SMALLEST, tmp_path)
    assert profile.precision == "float32"
    assert profile.gates.named() == ()
    assert not profile.default


def test_a_profile_with_quantize_is_static_int8_with_sound_defaults(tmp_path: Path) -> None:
    profile = read(INT8, tmp_path)
    assert profile.precision == "static-int8"
    assert profile.quantize
    assert profile.quantize.weights.symmetric
    assert profile.quantize.weights.granularity == "per-tensor"
    assert profile.quantize.activations.observer == "minmax"
    assert profile.quantize.skip == ("stem.*",)


def test_gates_are_named_in_a_fixed_order_whatever_the_file_s(tmp_path: Path) -> None:
    names = [name for name, _ in read(INT8, tmp_path).gates.named()]
    assert names == ["agreement", "size_ratio"]
    assert [name for name in Gates.model_fields if name in names] == names


def test_a_gate_at_zero_is_still_a_gate() -> None:
    assert Gates(fallback_share=Bound(max=0)).named() == (("fallback_share", Bound(max=0)),)


KNOWN = (
    "known keys: accelerator, cost, default, families, gates, monitor, probe, prune, quantize, recover, robustness, "
    "schema, summary"
)


@pytest.mark.parametrize(
    ("change", "message", "hint"),
    [
        (("agreement", "agrement"), r"'gates\.agrement': no such key", "did you mean 'agreement'?"),
        (("min = 0.9", "mn = 0.9"), r"'gates\.agreement\.mn': no such key", "did you mean 'min'?"),
        (("min = 0.9, ", ""), r"'gates\.agreement': a gate needs 'min' or 'max'", None),
        (("min = 0.9", "min = 0.9, max = 0.8"), r"'gates\.agreement': 'min' is above 'max'", None),
        (("min = 0.9", 'min = "0.9"'), r"'gates\.agreement\.min': input should be a valid number", None),
        (("min = 0.9", "min = nan"), r"'gates\.agreement\.min': input should be a finite number", None),
        (("0.95", "0.3"), r"'gates\.agreement\.confidence': input should be greater than 0\.5", None),
        (("0.95", "1.0"), r"'gates\.agreement\.confidence': input should be less than 1", None),
        (("{ max = 0.35 }", "0.35"), r"'gates\.size_ratio': should be a table", None),
        (("per-tensor", "per-pixel"), r"'quantize\.weights\.granularity': input should be 'per-tensor', ", None),
        (('["stem.*"]', '"stem.*"'), r"'quantize\.skip': should be a list", None),
        (("skip", "samples = 0\nskip"), r"'quantize\.samples': input should be greater than 0", None),
        (("skip", "samples = 1.5\nskip"), r"'quantize\.samples': input should be a valid integer", None),
        (("[quantize]", "[qantize]"), r"'qantize': no such key", "did you mean 'quantize'?"),
        (("[quantize]", '"a[0]" = 1\n[quantize]'), r"'a\[0\]': no such key", KNOWN),
        (('["host"]', "[]"), "'families': should not be empty", None),
        (("[quantize]", "[probe]\nthreads = true\n[quantize]"), r"'probe\.threads': input should be a valid int", None),
    ],
)
def test_a_profile_that_is_wrong_names_its_file_and_key(
    tmp_path: Path, change: tuple[str, str], message: str, hint: str | None
) -> None:
    assert change[0] in INT8
    with pytest.raises(SpecError, match=rf"profiles/mine\.toml: {message}") as error:
        read(INT8.replace(*change, 1), tmp_path)
    assert error.value.hint == hint


def test_a_misfit_names_every_reason(tmp_path: Path) -> None:
    target = Catalog((builtin_root(),)).target("raspberry-pi-5")
    runtime = RuntimeSpec(backend="onnx", delegates=("cpu",), precisions=("float32",))
    with pytest.raises(Misfit) as error:
        read(INT8, tmp_path).check(target, runtime)
    assert "it is written for host, and 'raspberry-pi-5' is of 'raspberry-pi'" in str(error.value)
    assert "'onnx' on 'raspberry-pi-5' cannot run static-int8" in str(error.value)
    assert error.value.hint == "edgekit profiles --family raspberry-pi"


def test_a_profile_cannot_be_changed(tmp_path: Path) -> None:
    profile = read(SMALLEST, tmp_path)
    with pytest.raises(ValueError, match="frozen"):
        profile.summary = "another"  # type: ignore[misc]
