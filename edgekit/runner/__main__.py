"""`python -m runner VERB …`: one JSON document on stdout, messages on stderr; exit 0, or 1 with `error` and `kind`."""

from __future__ import annotations

import argparse
import os
import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

from .errors import RunnerError
from .failure import ANSWER_FD, failure, write_answer
from .machine import system
from .model.accelerator import accelerator_of
from .slots import lifecycle
from .verbs import slots

MEASURING = ("accuracy", "latency", "throughput", "operators")
"""Verbs that run the model of a slot on the accelerator that was chosen for it, unless they are told one."""


def main(argv: list[str]) -> int:
    """Run the verb of `argv`, write its document to stdout, and return the exit status.

    Everything else that anything writes goes to stderr. New files are their owner's alone (umask 077). The verb
    `instructions` executes this program again, without ASLR (`timing/deterministic`).
    """
    if argv[:1] == ["instructions"]:
        from .timing.deterministic import run_deterministically

        run_deterministically()
    os.umask(0o077)
    # Runtimes print to stdout from C, so the descriptor itself is moved out of their way.
    os.dup2(1, ANSWER_FD, inheritable=False)
    os.dup2(2, 1)
    document, code = _answer(argv)
    write_answer(document)
    return code


def _answer(argv: list[str]) -> tuple[dict[str, Any], int]:
    try:
        return _run_verb(_parser().parse_args(argv)), 0
    except Exception as error:  # noqa: BLE001 the last line: whatever a runtime raises must reach the host as a document
        return failure(error), 1


def _run_verb(args: argparse.Namespace) -> dict[str, Any]:
    if args.verb == "info":
        from .machine.runtime_versions import installed

        return {**system.info(), "runtimes": installed()}
    if args.verb == "slots":
        return slots.answer(args)
    if args.verb == "compile":
        from .verbs.compile_runner import compile_runner

        return compile_runner(args.source, args.program)
    if args.verb == "describe":
        from .verbs.describe import describe, stated_shape

        return describe(args.model, args.format, dict(map(stated_shape, args.shape)))
    if args.verb == "serve":
        return _serve(args)
    if args.verb == "service":
        from .verbs.service import ServiceRequest, start, stop

        if args.stop:
            return stop(args.root)
        return start(ServiceRequest(args.root, tuple(args.option), args.token_file, args.boot))
    if args.verb == "work":
        from .serve.worker import work

        work(args.root, args.digest, args.threads, socket.socket(fileno=args.channel))
        return {}
    if args.verb == "windows":
        from .verbs.windows import windows

        return windows(args.root, args.after, args.acknowledge)
    with lifecycle.slot_in_use(args.slot):
        return _run_model_verb(args)


def _run_model_verb(args: argparse.Namespace) -> dict[str, Any]:
    accelerator = accelerator_of(args.accelerator, args.accelerator_option)
    if args.verb == "selftest":
        from .verbs.selftest import selftest

        return selftest(args.slot, args.threads, accelerator)
    if accelerator is None and args.verb in MEASURING:
        from .model.slot_accelerator import accelerator_of_slot

        accelerator = accelerator_of_slot(args.slot)
    if args.verb == "throughput":
        from .verbs.throughput import throughput

        return throughput(args.slot, args.inputs, args.threads, args.instances, args.min_duration, accelerator)
    folders = args.slot, args.inputs, args.out
    if args.verb == "generate":
        if args.count < 2:
            raise RunnerError("usage", "a text has two tokens at least: the time of one is that of the first")
        from .verbs.generate import generate

        return generate(*folders, args.count, args.min_count, args.min_duration, args.threads, args.cool)
    if args.verb == "operators":
        from .verbs.operators import operators

        return operators(*folders, args.count, args.threads, accelerator)
    if args.verb == "accuracy":
        from .verbs.accuracy import accuracy

        return accuracy(*folders, args.threads, dict(args.sha256), accelerator)
    if args.verb == "instructions":
        from .verbs.instructions import instructions

        return instructions(*folders, args.count, args.threads, accelerator)
    from .verbs.latency import latency

    return latency(*folders, args.min_count, args.min_duration, args.threads, args.cpu, args.cool, accelerator)


def _serve(args: argparse.Namespace) -> dict[str, Any]:
    from .serve.worker_pool import PoolSettings
    from .verbs.serve import ServeRequest, serve

    workers = args.workers or os.cpu_count() or 1
    pool = PoolSettings(workers, args.threads, args.queue, args.limit)
    return serve(ServeRequest(args.root, args.address, args.socket, args.token_file, pool, args.check))


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
    describe.add_argument("--shape", action="append", default=[])
    served = verbs.add_parser("serve")
    served.add_argument("root", type=Path)
    served.add_argument("--address", metavar="HOST:PORT")
    served.add_argument("--socket", type=Path, metavar="PATH")
    served.add_argument("--token-file", type=Path, metavar="FILE")
    served.add_argument("--workers", type=_at_least_one, help="one a core without it")
    served.add_argument("--threads", type=_at_least_one, default=1)
    served.add_argument("--queue", type=_at_least_one, default=64)
    served.add_argument("--limit", type=float, default=30.0, help="seconds of one inference")
    served.add_argument("--check", type=float, default=300.0, help="seconds between two verifications of the files")
    service = verbs.add_parser("service")
    service.add_argument("root", type=Path)
    service.add_argument("--stop", action="store_true")
    service.add_argument("--boot", action="store_true")
    service.add_argument("--token-file", type=Path)
    service.add_argument("--option", action="append", default=[], metavar="--NAME=VALUE", help="of `serve`")
    worker = verbs.add_parser("work")
    worker.add_argument("root", type=Path)
    worker.add_argument("--digest", required=True)
    worker.add_argument("--threads", type=_at_least_one, required=True)
    worker.add_argument("--channel", type=int, required=True, help="descriptor of the socket to the server")
    counted = verbs.add_parser("windows")
    counted.add_argument("root", type=Path)
    counted.add_argument("--after", metavar="EPOCH:NUMBER", help="windows behind that one alone")
    counted.add_argument("--acknowledge", metavar="EPOCH:NUMBER", help="the caller has all up to that one")
    for name in ("selftest", "latency", "instructions", "accuracy", "operators", "throughput", "generate"):
        verb = verbs.add_parser(name)
        verb.add_argument("slot", type=Path)
        verb.add_argument("--threads", type=int, default=1)
        verb.set_defaults(accelerator=None, accelerator_option=[])
        if name != "generate":
            verb.add_argument("--accelerator", metavar="KIND")
            verb.add_argument("--accelerator-option", action="append", default=[], metavar="NAME=VALUE")
        if name != "selftest":
            verb.add_argument("--inputs", type=Path, required=True)
            verb.add_argument("--out", type=Path, required=True)
        if name in ("instructions", "operators", "generate"):
            verb.add_argument("--count", type=_at_least_one, required=True)
        if name in ("latency", "throughput", "generate"):
            verb.add_argument("--min-duration", type=float, required=True)
        if name == "throughput":
            verb.add_argument("--instances", type=_at_least_one, required=True)
        if name in ("latency", "generate"):
            verb.add_argument("--min-count", type=int, required=True)
            verb.add_argument("--cool", type=float, nargs=2)
        if name == "latency":
            verb.add_argument("--cpu", type=int, action="append", default=[])
        if name == "accuracy":
            verb.add_argument("--sha256", nargs=2, action="append", default=[])
    return parser


def _at_least_one(text: str) -> int:
    if int(text) < 1:
        raise ValueError("less than one")
    return int(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
