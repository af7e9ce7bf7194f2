"""Blame where int8 is refused or poor: the vendor's recipe is tried on the same program, and told."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from edgekit.backends.lowering_process import Lowering
from edgekit.errors import Disagreement, LoweringError, LoweringTimeout
from edgekit.pipeline.stages.vendor_comparison import blamed
from tests.conftest import Built, Command

PROGRAM = Path("program")


@dataclass
class Answering:
    """Converter's process that answers a trial so."""

    quality_db: float | LoweringError | None
    trials: int = 0

    def try_vendor(self, program: Path, samples: Path, checks: Path) -> float | None:
        self.trials += 1
        if isinstance(self.quality_db, LoweringError):
            raise self.quality_db
        return self.quality_db


def compilation(recipe: object = object()) -> Any:
    folder = SimpleNamespace(folder=Path("samples"))
    return SimpleNamespace(
        recipe_before_lowering=recipe,
        calibrated=True,
        quantized=PROGRAM,
        captured=PROGRAM,
        calibration=folder,
        golden=folder,
    )


@pytest.mark.parametrize(
    ("quality_db", "words"),
    [
        (31.24, "too far; the vendor's plain recipe reaches 31.2 dB on the same program: report it to edgekit"),
        (4.0, "too far; the vendor's plain recipe fails too: it reaches 4.0 dB"),
        (LoweringError("no kernel"), "too far; the vendor's plain recipe fails too: no kernel"),
        (LoweringTimeout("slow"), "too far; the vendor's plain recipe does not end in time either"),
        (None, "too far"),
    ],
)
def test_a_refusal_says_what_the_vendors_recipe_comes_to(quality_db: float | LoweringError | None, words: str) -> None:
    worker = Answering(quality_db)
    with pytest.raises(Disagreement) as caught, blamed(compilation(), cast(Lowering, worker), PROGRAM):
        raise Disagreement("too far", hint="keep more in float")
    assert (str(caught.value), caught.value.hint, worker.trials) == (words, "keep more in float", 1)


@pytest.mark.parametrize(
    ("made", "folder", "error"),
    [
        (compilation(recipe=None), PROGRAM, Disagreement("too far")),
        (compilation(), Path("float program"), Disagreement("too far")),
        (compilation(), PROGRAM, LoweringTimeout("too slow")),
    ],
)
def test_nothing_is_tried_for_float_programs_and_after_a_timeout(made: Any, folder: Path, error: LoweringError) -> None:
    worker = Answering(31.0)
    with pytest.raises(type(error)) as caught, blamed(made, cast(Lowering, worker), folder):
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
