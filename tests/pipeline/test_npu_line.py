"""A build for a phone with a Hexagon NPU, emulated here: from the project to a bundle that is probed on the NPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgekit.runner.machine.runtime_versions import version_of
from edgekit.runner.runtimes.qnn_library import DISTRIBUTION
from tests.command_line import LENIENT, edgekit_here

pytestmark = [
    pytest.mark.builds,
    pytest.mark.skipif(version_of(DISTRIBUTION) is None, reason="onnxruntime-qnn is not installed"),
]


def test_the_answers_on_the_npu_are_in_the_report_and_its_binary_is_in_the_bundle_and_used(
    small: Path, places: dict[str, str], tmp_path: Path
) -> None:
    target = ("--target", "snapdragon-8-gen-3", "--backend", "onnx")
    ended = edgekit_here("build", "--project", small, *target, *LENIENT, "--out", tmp_path, "--json", env=places)
    assert ended.code == 0, ended.err
    (report,) = ended.document["reports"]
    told = [warning for warning in report["warnings"] if warning.startswith("Hexagon v75 (SM8650), emulated: ")]
    assert len(told) == 1, report["warnings"]
    (bundle,) = tmp_path.rglob("*.edgekit")
    argv = ("--project", small, "--samples", 4, "--min-count", 1, "--min-duration", 0, "--processes", 1)
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
