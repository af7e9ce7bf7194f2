"""`python -m runner VERB …`: one JSON document on stdout, messages on stderr; exit 0, or 1 with `error` and `kind`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any, NoReturn

from .errors import RunnerError
from .failure import failure
from .machine import system
from .slots import lifecycle
from .verbs import slots


def main(argv: list[str]) -> int:
    """Do what `argv` asks. Everything but the document goes to stderr, whoever writes it; files are its owner's alone.

    `instructions` starts this program anew (`still`).
    """
    if argv[:1] == ["instructions"]:
        from .timing.deterministic import run_deterministically

        run_deterministically()
    os.umask(0o077)
    # Runtimes print to stdout from C, so the descriptor itself is moved out of their way.
    answer = os.dup(1)
    os.dup2(2, 1)
    document, code = _answer(argv)
    with os.fdopen(answer, "w", encoding="utf-8") as out:
        out.write(json.dumps(document, sort_keys=True, allow_nan=False) + "\n")
    return code


def _answer(argv: list[str]) -> tuple[dict[str, Any], int]:
    try:
        return _do(_parser().parse_args(argv)), 0
    except Exception as error:  # noqa: BLE001 the last line: whatever a runtime raises must reach the host as a document
        return failure(error), 1


def _do(asked: argparse.Namespace) -> dict[str, Any]:
    if asked.verb == "info":
        from .machine.installed import installed

        return {**system.info(), "runtimes": installed()}
    if asked.verb == "slots":
        return slots.answer(asked)
    if asked.verb == "compile":
        from .verbs.precompile import compile_runner

        return compile_runner(asked.source, asked.program)
    if asked.verb == "describe":
        from .verbs.describe import describe

        return describe(asked.model, asked.format)
    with lifecycle.slot_in_use(asked.slot):
        return _model(asked)


def _model(asked: argparse.Namespace) -> dict[str, Any]:
    if asked.verb == "selftest":
        from .verbs.selftest import selftest

        return selftest(asked.slot, asked.threads)
    if asked.verb == "throughput":
        from .verbs.throughput import throughput

        return throughput(asked.slot, asked.inputs, asked.threads, asked.instances, asked.min_duration)
    folders = asked.slot, asked.inputs, asked.out
    if asked.verb == "operators":
        from .verbs.operators import operators

        return operators(*folders, asked.count, asked.threads)
    if asked.verb == "accuracy":
        from .verbs.accuracy import accuracy

        return accuracy(*folders, asked.threads, dict(asked.sha256))
    if asked.verb == "instructions":
        from .verbs.instructions import instructions

        return instructions(*folders, asked.count, asked.threads)
    from .verbs.latency import latency

    return latency(*folders, asked.min_count, asked.min_duration, asked.threads, asked.cpu, asked.cool)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise RunnerError("usage", message)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="runner", allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verbs.add_parser("info")
    slots.add_to(verbs.add_parser("slots"))
    compiled = verbs.add_parser("compile")
    compiled.add_argument("source", type=Path)
    compiled.add_argument("program", type=Path)
    describe = verbs.add_parser("describe")
    describe.add_argument("model", type=Path)
    describe.add_argument("--format", required=True)
    for name in ("selftest", "latency", "instructions", "accuracy", "operators", "throughput"):
        verb = verbs.add_parser(name)
        verb.add_argument("slot", type=Path)
        verb.add_argument("--threads", type=int, default=1)
        if name != "selftest":
            verb.add_argument("--inputs", type=Path, required=True)
            verb.add_argument("--out", type=Path, required=True)
        if name in ("instructions", "operators"):
            verb.add_argument("--count", type=_at_least_one, required=True)
        if name in ("latency", "throughput"):
            verb.add_argument("--min-duration", type=float, required=True)
        if name == "throughput":
            verb.add_argument("--instances", type=_at_least_one, required=True)
        if name == "latency":
            verb.add_argument("--min-count", type=int, required=True)
            verb.add_argument("--cpu", type=int, action="append", default=[])
            verb.add_argument("--cool", type=float, nargs=2)
        if name == "accuracy":
            verb.add_argument("--sha256", nargs=2, action="append", default=[])
    return parser


def _at_least_one(text: str) -> int:
    if int(text) < 1:
        raise ValueError("less than one")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
