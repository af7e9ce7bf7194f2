"""`build`, `run`, `plan`: a project goes down the line, or only as far as it can be foreseen."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from edgekit.atomic import write
from edgekit.bundle.keys import KeyStore
from edgekit.bundle.signing import SigningKey
from edgekit.cache import Cache
from edgekit.cli import options, passphrase
from edgekit.cli.output import note, print_json, print_table, progress, say_lines
from edgekit.errors import OptionError
from edgekit.pipeline.build import ENOUGH, build, evaluation
from edgekit.pipeline.plan import plan_build
from edgekit.pipeline.request import ALL, BuildRequest, find_project, orders
from edgekit.pipeline.run import EMULATED, Trial, run
from edgekit.pipeline.stages.background import threads
from edgekit.pipeline.stages.compile import Compilation
from edgekit.pipeline.stages.labels import check_labels
from edgekit.pipeline.stages.precompile_worker import compile_in_process
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.pipeline.verdict import FORMS
from edgekit.report.forms import text
from edgekit.report.report import Report, to_json

OUT = Path("edgekit-out")
Walk = Callable[[BuildRequest, StageRunner, Path, SigningKey], Report]


def register(app: typer.Typer) -> None:
    app.command("build")(build_command)
    app.command("run")(run_command)
    app.command("plan")(plan_command)


def build_command(
    target: options.Target,
    project: options.Project = None,
    example: options.Example = None,
    backend: options.Backend = None,
    profile: options.Profile = None,
    out: options.Out = None,
    overrides: options.Set = None,
    samples: options.Samples = None,
    jobs: options.Jobs = 1,
    key: options.Key = "default",
    no_cache: options.NoCache = False,
    json: options.Json = False,
) -> None:
    """Build a signed bundle, verified on this host, and decide every gate that needs no device.

    Exit 0 unless a gate failed (1).
    """
    wanted = orders(find_project(project, example), target, backend, profile, overrides or ())

    def walk(order: BuildRequest, line: StageRunner, folder: Path, signer: SigningKey) -> Report:
        return build(order, line, folder, signer, samples)

    reports = _walk(wanted, walk, out, key, no_cache, jobs, samples)
    _finish(reports, json, None)
    raise typer.Exit(1 if any(report.verdict == "failed" for report in reports) else 0)


def run_command(
    target: options.Target,
    device: options.Device = "local://",
    project: options.Project = None,
    example: options.Example = None,
    backend: options.Backend = None,
    profile: options.Profile = None,
    out: options.Out = None,
    overrides: options.Set = None,
    samples: options.Samples = None,
    jobs: options.Jobs = 1,
    key: options.Key = "default",
    reference: Annotated[str | None, typer.Option("--reference", metavar="URL", help="What to compare with.")] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="PATH", help="An earlier run's report or --out: counts are compared."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE", help="Also write it here: .html, .md, .txt or .json.")
    ] = None,
    runtime: options.Runtime = None,
    no_commit: Annotated[bool, typer.Option("--no-commit", help="Leave what was flashed on trial.")] = False,
    no_cache: options.NoCache = False,
    json: options.Json = False,
) -> None:
    """Build, flash, probe the device and the reference, and compare: the verdict commits, or takes it back.

    Exit 0 if every gate passed, 1 if one failed or could not be decided.
    """
    if report and report.suffix not in FORMS:
        raise OptionError(f"--report '{report}' has no known ending", hint=f"one of {', '.join(FORMS)}")
    if report and not report.resolve().parent.is_dir():
        raise OptionError(f"--report: there is no folder '{report.parent}'", hint=f"mkdir -p '{report.parent}'")
    changes = [*(overrides or ()), *([f'project.reference.url="{reference}"'] if reference else ())]
    wanted = orders(find_project(project, example), target, backend, profile, changes)
    if target == ALL and device == EMULATED:
        wanted = tuple(order for order in wanted if order.target.emulation)

    def walk(order: BuildRequest, line: StageRunner, folder: Path, signer: SigningKey) -> Report:
        trial = Trial(device, not no_commit, runtime, baseline)
        return run(order, line, folder, signer, trial, samples)

    reports = _walk(wanted, walk, out, key, no_cache, jobs, samples)
    _finish(reports, json, report)
    raise typer.Exit(0 if all(found.verdict == "passed" for found in reports) else 1)


def plan_command(
    target: options.Target,
    project: options.Project = None,
    example: options.Example = None,
    backend: options.Backend = None,
    profile: options.Profile = None,
    out: options.Out = None,
    overrides: options.Set = None,
    json: options.Json = False,
) -> None:
    """Say what a build would do, without doing it and without loading torch."""
    wanted = orders(find_project(project, example), target, backend, profile, overrides or ())
    cache = Cache.default()
    plans = [
        {**asdict(plan_build(Compilation(order, StageRunner(cache)))), "out": str(_folder(order, wanted, out))}
        for order in wanted
    ]
    if json:
        print_json({"schema": 1, "plans": plans})
        return
    for plan in plans:
        print_table(("plan", plan["target"]), [(name, _words(value)) for name, value in plan.items()])


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_words(inner)}" for name, inner in value.items())
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _walk(
    wanted: Sequence[BuildRequest],
    walk: Walk,
    out: Path | None,
    key: str,
    no_cache: bool,
    jobs: int,
    samples: int | None,
) -> list[Report]:
    """Every order down the line, one after another; with more jobs, the compiling is done ahead, side by side."""
    signer = _signer(key)
    with _cache(no_cache) as cache:
        if jobs > 1 and len(wanted) > 1:
            _compile_ahead(wanted, cache, jobs, samples)
        reports = []
        for order in wanted:
            with progress(f"{order.target.id} · {order.runtime.backend} · {order.profile.id}") as watch:
                reports.append(walk(order, StageRunner(cache, watch), _folder(order, wanted, out), signer))
    return reports


def _compile_ahead(wanted: Sequence[BuildRequest], cache: Cache, jobs: int, samples: int | None) -> None:
    """Fill the cache by processes of our own, for torch.export cannot trace two models in one.

    What fails in them fails again, and is reported, when its turn comes. Raises DataError before any of them starts if
    the labels cannot be scored.
    """
    with progress("labels") as watch:
        for order in wanted:
            line = StageRunner(cache, watch)
            check_labels(Compilation(order, line), evaluation(order, line, samples or ENOUGH))
    with threads(jobs) as pool:
        for order in wanted:
            pool.submit(compile_in_process, order, cache)


def _signer(name: str) -> SigningKey:
    store = KeyStore.of_user(passphrase.ask)
    key, made = store.default() if name == "default" else (store.get(name), False)
    if made:
        note(f"made your signing key 'default' ({key.id}): `edgekit keys list`")
    key.check()
    return key


@contextmanager
def _cache(none: bool) -> Iterator[Cache]:
    if not none:
        yield Cache.default().made()
        return
    with tempfile.TemporaryDirectory(prefix="edgekit-", ignore_cleanup_errors=True) as folder:
        yield Cache(Path(folder))


def _folder(order: BuildRequest, wanted: Sequence[BuildRequest], out: Path | None) -> Path:
    """`--out` itself for one order; a folder of its own in it for each of several."""
    if out and len(wanted) == 1:
        return out
    return (out or OUT) / order.name


def _finish(reports: Sequence[Report], json: bool, file: Path | None) -> None:
    say_lines(to_json(reports) if json else text.render(reports))
    if file:
        write(file, FORMS[file.suffix](reports).encode())
