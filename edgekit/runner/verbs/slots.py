"""Verbs `slots VERB ROOT …`: their arguments, and the functions of `runner/slots` that they call."""

from __future__ import annotations

import argparse
import base64
import json
from pathlib import Path
from typing import Any

from ..errors import RunnerError
from ..slots import lease, lifecycle
from ..slots.accelerator_choice import ENERGY, LATENCY
from ..slots.admission import refusals
from ..slots.begin import begin
from ..slots.repair import plan, repair
from ..slots.state import locked
from ..slots.trust import Trust
from .install import InstallRequest, abort, install

MAX_DETAIL = 4096
VERBS = ("status", "begin", "install", "abort", "commit", "rollback", "trust", "repair", "accelerator")
BRINGING = ("begin", "install")


def add_to(parser: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="slots_verb", required=True)
    for name in VERBS:
        verb = verbs.add_parser(name)
        verb.add_argument("root", type=Path)
        _add_options(name, verb)


def _add_options(name: str, verb: argparse.ArgumentParser) -> None:
    if name in (*BRINGING, "abort"):
        verb.add_argument("token")
        verb.add_argument("digest")
    if name in BRINGING:
        verb.add_argument("--who", default="somebody")
        verb.add_argument("--ttl", type=float, default=lease.TTL_S)
        verb.add_argument("--brought", type=base64.b64decode, nargs=2, metavar=("MANIFEST", "SIGNATURE"))
        verb.add_argument("--offer", type=_key, action="append", default=[], metavar="HEX")
        verb.add_argument("--stand-in", action="store_true")
    if name == "install":
        verb.add_argument("--deadline", type=float, default=lifecycle.TRIAL_S)
        verb.add_argument("--engine", type=float, metavar="SECONDS")
        verb.add_argument("--commit", action="store_true")
    if name in ("commit", "rollback"):
        verb.add_argument("digest", nargs="?")
    if name == "rollback":
        verb.add_argument("--detail", type=_detail)
    if name == "accelerator":
        verb.add_argument("digest")
        verb.add_argument("--kind", action="append", default=[])
        verb.add_argument("--told", metavar="KIND")
        verb.add_argument("--option", action="append", default=[], metavar="NAME=VALUE")
        verb.add_argument("--share", type=float)
        verb.add_argument("--slower", type=float)
        verb.add_argument("--prefer", choices=(LATENCY, ENERGY), default=LATENCY)
        verb.add_argument("--threads", type=int, default=1)
        verb.add_argument("--limit", type=float, required=True, metavar="SECONDS")
        verb.add_argument("--keep-cpu", metavar="WHY")
    if name == "trust":
        verb.add_argument("--pin", type=_key, action="append", default=[], metavar="HEX")
        verb.add_argument("--revoke", action="append", default=[], metavar="ID")
        verb.add_argument("--threshold", type=int)
        verb.add_argument("--target")
        verb.add_argument("--floor", type=int)
        verb.add_argument("--lower-floor", action="store_true")


def answer(args: argparse.Namespace) -> dict[str, Any]:
    name, root = args.slots_verb, args.root
    if name == "status":
        return lifecycle.status(root)
    if name == "begin":
        brought = args.brought, args.offer, args.stand_in
        return begin(root, args.digest, args.token, args.who, *brought, ttl_s=args.ttl)
    if name == "install":
        return install(_install_request(args))
    if name == "abort":
        return abort(root, args.token, args.digest)
    if name == "commit":
        return lifecycle.commit(root, args.digest)
    if name == "rollback":
        return lifecycle.rollback(root, args.digest, args.detail)
    if name == "repair":
        return repair(root)
    if name == "accelerator":
        return _choose_accelerator(args)
    return _change_trust(args)


def _install_request(args: argparse.Namespace) -> InstallRequest:
    return InstallRequest(
        args.root,
        args.digest,
        args.token,
        args.who,
        args.brought,
        tuple(args.offer),
        args.stand_in,
        args.ttl,
        args.deadline,
        args.engine,
        args.commit,
    )


def _choose_accelerator(args: argparse.Namespace) -> dict[str, Any]:
    from .best_accelerator import AcceleratorLimits  # what other steps do not need
    from .choose_accelerator import ChoiceRequest, choose_accelerator, keep_cpu

    if args.keep_cpu is not None:
        return keep_cpu(args.root, args.digest, args.keep_cpu)
    limits = AcceleratorLimits(args.share, args.slower, args.prefer)
    rest = args.told, tuple(args.option), args.threads, args.limit
    request = ChoiceRequest(tuple(args.kind), limits, *rest)
    return choose_accelerator(args.root, args.digest, request)


def _change_trust(args: argparse.Namespace) -> dict[str, Any]:
    """Change the trust as the arguments say, the rest stays, and list the slots that are not trusted any more.

    Where the trust is lost, a pin starts it anew: without revocations, with the version floor of what verifies then.
    """
    with locked(args.root), lease.under(args.root, None):
        before = _readable(args.root, args.pin)
        trust = before.pinning(args.pin).revoking(args.revoke)
        if args.threshold is not None:
            trust = trust._replace(threshold=args.threshold)
        if args.target is not None:
            trust = trust._replace(target=args.target)
        if args.floor is not None:
            if args.floor < before.floor and not args.lower_floor:
                raise RunnerError("usage", f"the floor is {before.floor}; it falls with --lower-floor only")
            trust = trust._replace(floor=args.floor)
        known = plan(args.root, trust)
        if trust.keys and not before.keys:
            # By what is signed there, not by what the state says.
            trust = trust.raised(_floor(plan(args.root, trust).state))
        if trust != before:
            trust.checked(before).write(args.root)
        return {**trust.shown(), "refused": refusals(args.root, known.state, known.link, trust)}


def _floor(state: dict[str, Any]) -> int:
    """Highest version floor that a commit here has set."""
    return max((slot["floor"] for slot in state["slots"].values() if slot["state"] == "committed"), default=0)


def _readable(root: Path, pins: list[bytes]) -> Trust:
    """Read the trust; a damaged file counts as none if keys are pinned in its place."""
    try:
        return Trust.read(root)
    except RunnerError:
        if not pins:
            raise
        return Trust()


def _key(text: str) -> bytes:
    raw = bytes.fromhex(text)
    if len(raw) != 32:
        raise ValueError("a public key has 32 bytes")
    return raw


def _detail(text: str) -> dict[str, Any]:
    """Parse an incident: a JSON object of at most 4 KB."""
    incident = json.loads(text)
    if not isinstance(incident, dict) or len(text.encode()) > MAX_DETAIL:
        raise ValueError("no JSON object of at most 4 KB")
    return incident
