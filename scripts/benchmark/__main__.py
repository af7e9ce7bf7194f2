"""`scripts/bench [NAME] …`: one of these, or what a build costs."""

from __future__ import annotations

import sys

from scripts.benchmark import build, compression, emulation, flash, loadgen, probe, vendor

BENCHMARKS = {
    "build": build.main,
    "compression": compression.main,
    "emulation": emulation.main,
    "flash": flash.main,
    "loadgen": loadgen.main,
    "probe": probe.main,
    "vendor": vendor.main,
}

if __name__ == "__main__":
    asked = sys.argv[1:]
    name = asked.pop(0) if asked and asked[0] in BENCHMARKS else "build"
    BENCHMARKS[name](asked)
