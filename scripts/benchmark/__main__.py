"""`scripts/bench [NAME] …`: one of these, or what a build costs."""

from __future__ import annotations

import sys

from scripts.benchmark import (
    build,
    compression,
    counting,
    emulation,
    errors,
    flash,
    generate,
    judge,
    loadgen,
    memory,
    monitor,
    probe,
    refusal,
    runtimes,
    serve,
    silence,
    stops,
    vendor,
)

BENCHMARKS = {
    "build": build.main,
    "compression": compression.main,
    "counting": counting.main,
    "emulation": emulation.main,
    "errors": errors.main,
    "flash": flash.main,
    "generate": generate.main,
    "judge": judge.main,
    "loadgen": loadgen.main,
    "memory": memory.main,
    "monitor": monitor.main,
    "probe": probe.main,
    "refusal": refusal.main,
    "runtimes": runtimes.main,
    "serve": serve.main,
    "silence": silence.main,
    "stops": stops.main,
    "vendor": vendor.main,
}

if __name__ == "__main__":
    args = sys.argv[1:]
    name = args.pop(0) if args and args[0] in BENCHMARKS else "build"
    BENCHMARKS[name](args)
