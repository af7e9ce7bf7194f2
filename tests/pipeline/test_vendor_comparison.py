"""Blame where int8 is refused or poor: the vendor's recipe is tried on the same program, and told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from edgekit.cache import Cache
from edgekit.errors import Disagreement, LoweringError, LoweringTimeout
from edgekit.pipeline.stages import vendor_comparison
from tests.conftest import Built, Command


@dataclass
class Answering:
    """Converter's process that answers a trial so."""

    quality_db: float | LoweringError | None
    trials: int = 0

    def __call__(self, backend: str) -> Self:
        assert backend == "onnx"
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None: ...

    def try_vendor(self, program: Path, samples: Path, checks: Path, dynamic: bool) -> float | None:
        self.trials += 1
        assert samples.name == ("golden" if dynamic else "calibration")
        if isinstance(self.quality_db, LoweringError):
            raise self.quality_db
        return self.quality_db


def compilation(
    cache: Path, recipe: object = object(), float_is_lowered: bool = True, precision: str = "static-int8"
) -> Any:
    entries = Cache(cache)
    if float_is_lowered:
        entries.fetch("f" * 64, lambda out: (out / "model.onnx").touch())
    return SimpleNamespace(
        captured=Path("program"),
        calibration=SimpleNamespace(folder=Path("calibration")),
        golden=SimpleNamespace(folder=Path("golden")),
        lower_float=SimpleNamespace(key="f" * 64),
        lower=SimpleNamespace(key="e" * 64),
        line=SimpleNamespace(cache=entries),
        request=SimpleNamespace(
            runtime=SimpleNamespace(backend="onnx"),
            recipe_before_lowering=recipe,
            calibrated=precision == "static-int8",
            profile=SimpleNamespace(quantize=SimpleNamespace(precision=precision)),
        ),
    )


@pytest.mark.parametrize("precision", ["static-int8", "dynamic-int8"])
@pytest.mark.parametrize(
    ("quality_db", "words", "trials"),
    [
        (31.24, "too far; the vendor's plain recipe reaches 31.2 dB on the same program: report it to edgekit", 1),
        (4.0, "too far; the vendor's plain recipe fails too: it reaches 4.0 dB", 1),
        (LoweringError("no kernel"), "too far; the vendor's plain recipe fails too: no kernel", 2),
        (LoweringTimeout("slow"), "too far; the vendor's plain recipe does not end in time either", 2),
        (None, "too far", 1),
    ],
)
def test_a_refusal_says_what_the_vendors_recipe_comes_to(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    quality_db: float | LoweringError | None,
    words: str,
    trials: int,
    precision: str,
) -> None:
    worker = Answering(quality_db)
    monkeypatch.setattr(vendor_comparison, "Lowering", worker)
    for _ in range(2):  # what was measured is kept, what failed is tried again
        with (
            pytest.raises(Disagreement) as caught,
            vendor_comparison.blamed(compilation(tmp_path, precision=precision)),
        ):
            raise Disagreement("too far", hint="keep more in float")
        assert (str(caught.value), caught.value.hint) == (words, "keep more in float")
    assert worker.trials == trials


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"recipe": None}, Disagreement("too far")),
        ({"precision": "weight-int8"}, Disagreement("too far")),
        ({"float_is_lowered": False}, Disagreement("too far")),
        ({}, LoweringTimeout("too slow")),
    ],
)
def test_nothing_is_tried_for_float_programs_and_after_a_timeout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changes: dict[str, Any], error: LoweringError
) -> None:
    worker = Answering(31.0)
    monkeypatch.setattr(vendor_comparison, "Lowering", worker)
    with pytest.raises(type(error)) as caught, vendor_comparison.blamed(compilation(tmp_path, **changes)):
        raise error
    assert (caught.value, worker.trials) == (error, 0)


@pytest.mark.builds
def test_answers_that_fail_a_gate_are_compared_with_the_vendors(command: Command, built: Built, tmp_path: Path) -> None:
    impossible = ("--set", "profile.gates.agreement.min=1.01")
    ended = command("build", *built.options, *impossible, "--out", tmp_path / "out", "--json")
    (report,) = json.loads(ended.out)["reports"]
    (remark,) = (warning for warning in report["warnings"] if "vendor" in warning)
    assert remark.startswith(("The vendor's plain recipe reaches ", "The vendor's plain recipe does no better: "))
    assert " dB on the same program and samples, edgekit's " in remark
