"""Tables of decoders that take turns: ratios are of the same turn, precision and threads."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scripts.benchmark.contender import Contender, table

LOAD = (9.0, 1.0, 1.2, 30.0, 2.0, 1.0)
"""How much slower the machine is in each turn; the first one warms up."""


def contender(name: str, precision: str, seconds: float, megabytes: int, threads: int = 1) -> Contender:
    """One that took `seconds` of CPU a token on an idle machine, and twice that by the wall."""
    made = Contender(name, precision, threads, 1000, 500, subprocess.Popen([sys.executable, "-c", ""], text=True))
    made.process.wait()
    for load in LOAD:
        times = {"first_cpu_s": 4 * seconds * load, "rest_cpu_s": 3 * seconds * load}
        times |= {"first_s": 8 * seconds * load, "rest_s": 6 * seconds * load}
        memory = {"grown": [10**6, 2 * 10**6], "peak_bytes": (20 + megabytes) * 10**6, "empty_bytes": 20 * 10**6}
        made.answers.append({"tokens": [7, 8, 9, len(name)], **times, **memory})
    return made


def test_ratios_are_of_turns_at_the_same_precision_and_number_of_threads() -> None:
    contenders = [
        contender("edgekit onnx-float32", "f32", 0.5, 30),
        contender("edgekit onnx-dynamic-int8", "q8_0", 0.1, 10),
        contender("edgekit onnx-dynamic-int8, 2 threads", "q8_0", 0.1, 15, 2),
        contender("llama.cpp q8_0", "q8_0", 0.2, 20),
        contender("llama.cpp q8_0, 2 threads", "q8_0", 0.4, 20, 2),
    ]
    lines = table(contenders)
    assert [line.split(" : ")[0] for line in lines[lines.index("") + 2 :]] == [each.name for each in contenders[1:3]]
    assert lines[-2].split()[-9:] == ["0.50", "(0.50", "to", "0.50)", "0.50", "(0.50", "to", "0.50)", "0.50"]
    assert lines[-1].split()[-9:] == ["0.25", "(0.25", "to", "0.25)", "0.25", "(0.25", "to", "0.25)", "0.75"]


def test_figures_are_medians_without_the_turn_that_warms_up() -> None:
    lines = table([contender("edgekit onnx-float32", "f32", 0.5, 30)])
    assert len(lines) == 2
    figures = lines[1].split()[-10:]
    # 1 / (2 * 0.5 * 1.2) tokens a second; the last column counts the tokens of the first line.
    assert figures == ["1,000", "0.00", "0.83", "600.00", "2400.00", "1.00", "2.00", "50.00", "30.00", "4"]


def test_a_decoder_that_ended_is_told_by_name() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "input(); raise SystemExit(3)"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    made = Contender("edgekit onnx-float32", "f32", 1, 1, 1, process)
    with pytest.raises(RuntimeError, match="edgekit onnx-float32 ended with 3"):
        made.generate([1], 2)
    process.communicate()
