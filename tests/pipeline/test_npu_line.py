"""A build for a phone with a Hexagon NPU, emulated here: from the project to a bundle that is probed on the NPU."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgekit.devices import process
from edgekit.devices.local import Local
from edgekit.devices.transport import Completed
from edgekit.runner.machine.runtime_versions import version_of
from edgekit.runner.runtimes.qnn_library import DISTRIBUTION
from tests.command_line import LENIENT, edgekit_here

pytestmark = [
    pytest.mark.builds,
    pytest.mark.skipif(version_of(DISTRIBUTION) is None, reason="onnxruntime-qnn is not installed"),
]
QUICK = ("--samples", 4, "--min-count", 1, "--min-duration", 0, "--processes", 1)
CHANGED = """
import sys
sys.path.insert(0, sys.argv[1])
from runner.runtimes import qnn_htp
{change}
from runner.__main__ import main
sys.exit(main(sys.argv[2:]))
"""
"""Runner of a phone whose NPU is another one, or whose QNN is older."""


@pytest.fixture(scope="module")
def reported(small: Path, places: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """Bundle for the phone, and the report of its build."""
    out = tmp_path_factory.mktemp("phone")
    target = ("--target", "snapdragon-8-gen-3", "--backend", "onnx")
    ended = edgekit_here("build", "--project", small, *target, *LENIENT, "--out", out, "--json", env=places)
    assert ended.code == 0, ended.err
    (bundle,), (report,) = out.rglob("*.edgekit"), ended.document["reports"]
    return bundle, report


def test_the_answers_on_the_npu_are_in_the_report_and_its_binary_is_in_the_bundle_and_used(
    small: Path, places: dict[str, str], reported: tuple[Path, Any], tmp_path: Path
) -> None:
    bundle, report = reported
    told = [warning for warning in report["warnings"] if warning.startswith("Hexagon v75 (SM8650), emulated: ")]
    assert len(told) == 1, report["warnings"]
    argv = ("--project", small, *QUICK)
    device = f"local://{tmp_path / 'device'}"
    probed = edgekit_here("probe", bundle, "--device", device, *argv, "--accelerator", "npu", "--json", env=places)
    assert probed.code == 0, probed.err
    measured = probed.document["measurement"]
    use = measured["accelerator"]
    assert (use["kind"], use["software"], use["cached"]) == ("qnn-htp", True, True)
    assert "compiled ahead by QNN" in use["note"]
    assert use["taken"] > 0.8 * use["operators"]
    assert min(use["against_cpu"]["sqnr_db"].values()) > 15
    assert not measured["valid"]
    assert "is software" in measured["reason"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            'qnn_htp.SOCS = {**qnn_htp.SOCS, "SM8650": qnn_htp.SOCS["SM8550"]}',
            "'SM8650.onnx' is a context binary for chip 57 of QNN, this NPU is of 43",
        ),
        ('qnn_htp.sdk_version = lambda folder: "2.40.0"', "'SM8650.onnx' was made by QNN 2."),
    ],
    ids=["chip", "SDK"],
)
def test_a_context_binary_of_another_chip_or_sdk_is_refused_and_nothing_is_flashed(
    reported: tuple[Path, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str, words: str
) -> None:
    def run(local: Local, argv: Sequence[str], *, timeout: float) -> Completed:
        at = next((k for k, word in enumerate(argv) if word.endswith(".pyz")), None)
        changed = [*argv[:at], "-c", CHANGED.format(change=change), *argv[at:]] if at else argv
        return process.run(changed, timeout=timeout)

    monkeypatch.setattr(Local, "run", run)
    device = f"local://{tmp_path / 'device'}"
    told = edgekit_here("flash", reported[0], "--device", device, "--accelerator", "npu").refused("EK426", 3)
    assert words in " ".join(told.split())
    assert "hint: --accelerator-option context=false" in told
    assert edgekit_here("status", "--device", device, "--json").document["current"] is None
