"""Files of one model for several runtimes, timed in turns in one process: ratios of time to the first, with intervals.

`scripts/bench runtimes model.onnx model.pte model.tflite --inputs samples.npz`
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter_ns
from typing import Any

import numpy as np

Samples = dict[str, Any]
"""Arrays by the name of the input, samples along axis 0."""
BLOCK = 3
"""Inferences of one file in a turn, of which the least counts: the first pays for what the others left in caches."""
RESAMPLES = 2000


def main(argv: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="scripts/bench runtimes", description=__doc__)
    parser.add_argument(
        "files", type=Path, nargs="+", metavar="FILE", help=".onnx, .pte or .tflite; the first is the basis"
    )
    parser.add_argument("--inputs", type=Path, required=True, help=".npz of samples, by the names of the inputs")
    parser.add_argument("--rounds", type=int, default=200, help="turns that every file has")
    args = parser.parse_args(argv)
    # Before a runtime is imported: one thread, on all sides.
    os.environ["OMP_NUM_THREADS"] = "1"
    with np.load(args.inputs) as arrays:
        samples = {name: arrays[name] for name in arrays.files}
    times = _times([_call(path, samples) for path in args.files], args.rounds)
    print(f"{'':40}{'ms':>9}{'ratio':>8}{'95 % of the median':>22}")
    for path, mine in zip(args.files, times, strict=True):
        median, low, high = ratio(mine, times[0])
        print(f"{path.name:40}{np.median(mine) / 1e6:9.3f}{median:8.3f}{f'{low:.3f} to {high:.3f}':>22}")


def ratio(mine: Any, basis: Any) -> tuple[float, float, float]:
    """Median of the ratios of turns, and its interval of 95 % by the bootstrap (Efron 1979). int64 [turns] each."""
    ratios = mine / basis
    random = np.random.default_rng(0)
    medians = np.median(random.choice(ratios, (RESAMPLES, len(ratios))), 1)
    low, high = np.percentile(medians, [2.5, 97.5])
    return float(np.median(ratios)), float(low), float(high)


def _times(calls: Sequence[Callable[[int], object]], rounds: int) -> Any:
    """Nanoseconds, int64 [files, rounds]: a turn of every file after the other, their order reversed each time."""
    times = np.zeros((len(calls), rounds), np.int64)
    for call in calls:
        call(0)
    for turn in range(rounds):
        order = range(len(calls))
        for place in order if turn % 2 else reversed(order):
            times[place, turn] = min(_timed(calls[place], turn) for _ in range(BLOCK))
    return times


def _timed(call: Callable[[int], object], turn: int) -> int:
    started = perf_counter_ns()
    call(turn)
    return perf_counter_ns() - started


def _call(path: Path, samples: Samples) -> Callable[[int], object]:
    return {".onnx": _onnx, ".pte": _pte, ".tflite": _tflite}[path.suffix](path, samples)


def _rows(samples: Samples, names: Sequence[str]) -> list[Samples]:
    count = len(samples[names[0]])
    return [{name: np.ascontiguousarray(samples[name][i : i + 1]) for name in names} for i in range(count)]


def _onnx(path: Path, samples: Samples) -> Callable[[int], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    rows = _rows(samples, [each.name for each in session.get_inputs()])
    return lambda turn: session.run(None, rows[turn % len(rows)])


def _tflite(path: Path, samples: Samples) -> Callable[[int], object]:
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    edges = {edge["name"]: edge["index"] for edge in interpreter.get_input_details()}
    rows, answer = _rows(samples, list(edges)), interpreter.get_output_details()[0]["index"]

    def call(turn: int) -> object:
        for name, array in rows[turn % len(rows)].items():
            interpreter.set_tensor(edges[name], array)
        interpreter.invoke()
        return interpreter.get_tensor(answer)

    return call


def _pte(path: Path, samples: Samples) -> Callable[[int], object]:
    """One inference of a file, whose inputs have no names: they are in the order of the samples' arrays."""
    import torch
    from executorch.extension.pybindings import _C
    from executorch.runtime import Runtime

    torch.set_num_threads(1)
    _C._unsafe_reset_threadpool(1)  # XNNPACK's threads are not torch's
    method = Runtime.get().load_program(path).load_method("forward")
    assert method is not None
    count = method.metadata.num_inputs()
    rows = [[torch.from_numpy(array) for array in row.values()] for row in _rows(samples, list(samples)[:count])]
    return lambda turn: np.asarray(method.execute(rows[turn % len(rows)])[0])
