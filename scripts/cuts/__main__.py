"""`scripts/chaos`: power cuts, or damaged files, at random points of a flash; exit 1 if a device broke its promise."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue

from edgekit import user_paths
from edgekit.cli.logs import silence_others
from scripts.cuts.report import Report

PLACES = ("CONFIG", "DATA")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="scripts/chaos", description=__doc__)
    parser.add_argument("--cuts", type=int, default=12)
    parser.add_argument("--damage", type=int, help="no cuts: so many times, damage a file of this machine as a device")
    parser.add_argument("--seed", type=int, help="the same one, the same plan; by default a new one, which is printed")
    parser.add_argument(
        "--first", type=int, default=1, metavar="K", help="begin with the plan's K-th: to see one again"
    )
    parser.add_argument("--target", default="raspberry-pi-5", help="one that is emulated")
    parser.add_argument("--backend", help="of the bundles that are flashed; by default the target's first")
    parser.add_argument("--jobs", type=int, default=1, help="so many devices at once")
    parser.add_argument("--until", type=float, help="begin no cut after so many seconds")
    parser.add_argument("--report", type=Path, metavar="FILE.json")
    args = parser.parse_args(argv)
    seed = secrets.randbelow(2**31) if args.seed is None else args.seed
    what = f"{args.cuts} cuts on {args.target}" if args.damage is None else f"{args.damage} files damaged"
    print(f"{what}, --seed {seed}", flush=True)
    silence_others()
    # Neither the user's keys nor their devices are touched; what was downloaded is shared.
    os.environ.setdefault("EDGEKIT_DOWNLOADS", str(user_paths.downloads()))
    with tempfile.TemporaryDirectory() as scratch:
        os.environ.update({f"EDGEKIT_{name}": f"{scratch}/{name}" for name in PLACES})
        if args.damage is not None:
            from scripts.cuts.campaign import run

            return 1 if run(args.damage, seed, args.first, args.jobs, Path(scratch)) else 0
        report = _run(args, seed, Path(scratch))
    print(report.table())
    return 1 if report.broken else 0


def _run(args: argparse.Namespace, seed: int, scratch: Path) -> Report:
    from edgekit.specs.catalog import Catalog
    from scripts.cuts.bundles import built
    from scripts.cuts.cutting import board
    from scripts.cuts.plan import Cut, plan

    target = Catalog.default().target(args.target)
    bundles = built(args.target, scratch / "bundles", args.backend)
    cuts = plan(args.cuts, seed)[args.first - 1 :]
    report = Report(seed, args.target, len(cuts))
    left: SimpleQueue[Cut] = SimpleQueue()
    for cut in cuts:
        left.put(cut)
    deadline = time.monotonic() + (args.until or float("inf"))

    def work() -> None:
        with board(target, bundles) as made:
            made.time_steps(cuts)
            while not report.broken and time.monotonic() < deadline:
                try:
                    cut = left.get_nowait()
                except Empty:
                    return
                report.add(made.cut(cut))
                if args.report:
                    report.write(args.report)

    with ThreadPoolExecutor(args.jobs) as pool:
        for worker in [pool.submit(work) for _ in range(args.jobs)]:
            worker.result()
    return report


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
