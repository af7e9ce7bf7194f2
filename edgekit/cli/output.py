"""Output on the terminal: results to stdout, everything else to stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from edgekit.cli import stop
from edgekit.cli.heartbeat import Heartbeat
from edgekit.cli.logs import is_verbose
from edgekit.cli.stdout import Stdout
from edgekit.errors import EdgekitError
from edgekit.errors.faults import ALSO
from edgekit.ir.stage_record import StageRecord
from edgekit.pipeline.stages.stage_runner import Watch
from edgekit.untrusted.direction import isolated, without_isolates
from edgekit.untrusted.sanitize import MAX_WORDS, json_lines, line, lines
from edgekit.untrusted.workflow_commands import defused, defused_json

ERRORS = Console(stderr=True, highlight=False, soft_wrap=True)


def print_error(error: EdgekitError) -> None:
    """Print `error EK102: what and where`; below it what is kept nonetheless, what to type, and the other faults."""
    ERRORS.print(f"[bold red]error {error.code}:[/] {_shown(str(error))}")
    notes = getattr(error, "__notes__", ())
    faults = [note for note in notes if note.startswith(ALSO)]  # with hints of their own
    for note in notes:
        if note not in faults:
            ERRORS.print(f"  {_shown(note)}")
    if error.hint:
        ERRORS.print(f"  [bold]hint:[/] {_shown(error.hint)}")
    for fault in faults:
        ERRORS.print(f"  {_shown(fault)}")


def print_json_error(error: EdgekitError) -> None:
    """Print the JSON document of a command that failed with `--json`: code, message and hint."""
    message = "\n".join((str(error), *getattr(error, "__notes__", ())))
    print_json({"error": {"code": error.code, "message": message, "hint": error.hint}})


def print_commands(text: str) -> None:
    """Print workflow commands on stderr, where GitHub Actions reads them as it does on stdout."""
    typer.echo(text.rstrip("\n"), err=True)


def restore_terminal() -> None:
    """Show the cursor again, after a process was killed while it showed its progress."""
    ERRORS.show_cursor()
    if ERRORS.is_terminal:
        ERRORS.line()


def note(text: str) -> None:
    """Print a remark, which is no result, on stderr."""
    ERRORS.print(_shown(text))


def say(text: str) -> None:
    """Print a result in one line, whatever a device, a server or a bundle put into it."""
    typer.echo(_harmless(line(text)))


def say_lines(text: str) -> None:
    """Print a result of several lines that ends with a line break: a report, or a console's output."""
    typer.echo(_harmless(lines(text)), nl=False)


def say_form(text: str) -> None:
    """Print a report in a form of several lines, whose runs from right to left stay isolated."""
    shown = "\n".join(isolated(line(each)) for each in without_isolates(text).split("\n"))
    typer.echo(_harmless(shown), nl=False)


def say_coloured(marked: Iterable[tuple[str, str, str | None]]) -> None:
    """Print lines: each its text, the words in it to stand out, and their colour, or None for bold alone.

    In a pipe, and where NO_COLOR is set, nothing stands out.
    """
    coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for text, words, colour in marked:
        shown = _harmless(isolated(line(text)))
        styled = typer.style(words, fg=colour, bold=True)
        typer.echo(shown.replace(words, styled, 1) if coloured and words else shown)


def print_json(document: object) -> None:
    """Print the one JSON document that `--json` promises."""
    print_document(json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False))


def print_document(document: str) -> None:
    """Print a JSON document that is written already, in printable letters."""
    Stdout.has_document = True
    shown = json_lines(document).rstrip("\n")
    typer.echo(defused_json(shown) if _is_read_by_a_runner() else shown)


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print aligned columns of whole words, however narrow the terminal; in a pipe, one line a row."""
    console, aligned = Console(highlight=False), _aligned((headings, *rows))
    if not console.is_terminal:
        typer.echo("\n".join(aligned))
    elif max(map(cell_len, aligned)) <= console.width:  # rich takes 20 times as long, and would do no more
        console.print(Text(aligned[0], "bold"))
        typer.echo("".join(f"{row}\n" for row in aligned[1:]), nl=False)
    else:
        console.print(_folded(headings, rows))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return a line for each row; columns are two spaces apart."""
    cells = [[_harmless(line(cell, MAX_WORDS)) for cell in row] for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    return ["  ".join(map(set_cell_size, row, widths)).rstrip() for row in cells]


def _folded(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, overflow="fold")  # an id cut short is no id
    for row in rows:
        table.add_row(*(_shown(cell) for cell in row))
    return table


def _shown(text: str) -> str:
    """Return a text from anywhere as rich may print it: shortened, without terminal escapes and markup."""
    return escape(_harmless(line(text, MAX_WORDS)))


def _harmless(text: str) -> str:
    """Text that gives no commands to the service that runs this one."""
    return defused(text) if _is_read_by_a_runner() else text


def _is_read_by_a_runner() -> bool:
    """True in a step of GitHub Actions or Azure Pipelines, whose runners look for commands in all that is printed."""
    return "GITHUB_ACTIONS" in os.environ or "TF_BUILD" in os.environ


@contextmanager
def progress(title: str) -> Iterator[Watch]:
    """Show the stage that runs, and each one's time when it ends; without a terminal, a line as each begins, and while
    it is long (`heartbeat`).

    Whatever is printed inside, by a user's code or by native code, goes to stderr: stdout is for results.
    No stage starts once a signal came.
    """
    with _stdout_to_stderr():
        if ERRORS.is_terminal:
            with _status(title) as watch:
                yield watch
        else:
            with Heartbeat(title, note) as heartbeat:
                yield _stage_lines(title, heartbeat)


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


@contextmanager
def _status(title: str) -> Iterator[Watch]:
    running: dict[str, str] = {}
    with ERRORS.status(title) as status:

        def watch(name: str, stage: StageRecord | str | None) -> None:
            if stage is None or isinstance(stage, str):
                stop.check()
                running[name] = f"{name} {stage or ''}".strip()
            else:
                running.pop(name, None)
                how = "[dim]cached[/]" if stage.cached else f"{stage.seconds:.1f} s"
                ERRORS.print(f"  [green]✓[/] {escape(name):<24} {how}")
            status.update(f"{title}: {', '.join(running.values())}" if running else title)

        yield watch


def _stage_lines(title: str, heartbeat: Heartbeat) -> Watch:
    """Return a watch that prints `[TITLE] STAGE` on stderr as a stage begins, unless log lines are shown there."""

    def watch(name: str, stage: StageRecord | str | None) -> None:
        if isinstance(stage, StageRecord):
            heartbeat.end(name)
            return
        stop.check()
        if stage is not None:
            heartbeat.update(name, stage)
            return
        heartbeat.begin(name)
        if not is_verbose():
            note(f"[{title}] {name}")

    return watch
