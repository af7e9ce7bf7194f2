"""Causes of lost columns that the records do not tell, each measured one cell at a time, with the figures."""

from __future__ import annotations

from collections.abc import Iterator

from scripts.vendor_table.comparison import VendorComparison

RECURRENT = ("gru-", "lstm-")
"""Beginnings of the names of the recurrent architectures, of 32 units and 20 steps."""
FLOAT_CELLS = (
    "the vendor leaves the recurrent layers in float: `aten.{}` of its quantized program has float weights, and "
    "edgekit multiplies in integers"
)
STEPS = (
    "edgekit writes the 20 steps out, and their operators are larger than the weights of 32 units: the .onnx of the "
    "same integers has a ninth of the size"
)
SCAN = (
    "onnxruntime has no integer operator for GRU, and a step of edgekit's Scan is 13 calls of about 9 µs together, "
    "however wide: .onnx takes 10.2, 3.2, 1.3, .28 and .27 times as long as the float operator at 32, 128, 256, 512 "
    "and 1024 units"
)
ROUNDED_STEPS = (
    "onnxruntime's DynamicQuantizeLSTM rounds the state at each step: it takes 1.8, .85, .47 and .07 times as long as "
    "the float operator at 32, 128, 256 and 512 units"
)
MINMAX = (
    "the vendor's ranges are those of least squared error of a histogram, edgekit's are minimum and maximum, for "
    "quicker builds: simulated, `--set profile.quantize.activations.observer=histogram` reaches {}"
)
HISTOGRAM = {
    ("resnet18", "executorch"): "41.7 dB where minimum and maximum have 38.4 and the vendor's program 41.2",
    (
        "resnet18",
        "tflite",
    ): "41.7 dB where minimum and maximum have 38.4 (the program of executorch, of the same ranges)",
    ("dilated", "executorch"): "31.0 dB where minimum and maximum have 29.4 and the vendor's program 31.1",
}
"""SQNR of the simulated program by the ranges of its activations, by architecture and backend."""
SUMS = (
    "edgekit rounds the sums of residual connections for all that read them, the vendor for linear layers alone, so "
    'its norms and next sums read floats: simulated, `skip = [":add", "*:add"]` in `[quantize]` reaches {}; neither '
    "histograms nor float tables change more than .3 dB"
)
READ_SUMS = {
    "decoder-kv-cache": "35.2 dB where edgekit's program has 31.8 and the vendor's 34.6",
    "t5": "34.1 dB where edgekit's program has 30.3 and the vendor's 33.3",
}
"""SQNR of the simulated program with sums in float, by architecture, on tflite."""
FLOAT_TRANSPOSED = (
    "the vendor leaves both transposed convolutions in float, and edgekit has all of the work in integers"
)


def causes(record: VendorComparison) -> Iterator[str]:
    """Sentences on what makes edgekit's file worse in the columns that it loses; none where nobody measured it."""
    cell, lost = (record.architecture, record.backend), set(record.behind)
    if record.precision != "int8":
        return
    if record.architecture.startswith(RECURRENT):
        if record.backend != "onnx":
            yield FLOAT_CELLS.format(record.architecture.partition("-")[0])
            if lost & {"size", "time"}:
                yield STEPS
        elif "time" in lost:
            yield SCAN if record.architecture.startswith("gru") else ROUNDED_STEPS
    if "SQNR" in lost and cell in HISTOGRAM:
        yield MINMAX.format(HISTOGRAM[cell])
    if "SQNR" in lost and record.backend == "tflite" and record.architecture in READ_SUMS:
        yield SUMS.format(READ_SUMS[record.architecture])
    if cell == ("transposed", "tflite"):
        yield FLOAT_TRANSPOSED
