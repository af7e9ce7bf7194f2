"""NVIDIA's trtexec: its version, and the end of what it prints."""

from __future__ import annotations

import pytest

from edgekit.runner.runtimes.trtexec import parsed_version, run


@pytest.mark.parametrize(
    ("banner", "version"),
    [
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v8601] # trtexec --help", (8, 6, 1)),
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v8502] # trtexec", (8, 5, 2)),
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v100300] [b26] # trtexec", (10, 3, 0)),
        ("&&&& RUNNING TensorRT.trtexec [TensorRT v101303] # trtexec", (10, 13, 3)),
        ("trtexec: command not found", None),
    ],
)
def test_trtexec_says_which_tensorrt_it_is_of(banner: str, version: tuple[int, ...] | None) -> None:
    assert parsed_version(banner) == version


def test_of_a_long_output_the_end_is_kept() -> None:
    code, output = run(["sh", "-c", "seq 100000; exit 7"], 60)
    assert code == 7
    assert output.endswith("99999\n100000\n")
    assert len(output) == 4096
