"""What goes to the terminal: results to stdout, everything else to stderr, and progress only where someone looks."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout

import typer
from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from edgekit.cli import stop
from edgekit.errors import EdgekitError
from edgekit.ir.stage_record import StageRecord
from edgekit.pipeline.stages.stage_runner import Watch
from edgekit.untrusted.sanitize import MAX_WORDS, json_lines, line, lines

ERRORS = Console(stderr=True, highlight=False, soft_wrap=True)


def print_error(error: EdgekitError) -> None:
    """`error EK102: what and where`, and below it what is kept nonetheless, and what to type."""
    ERRORS.print(f"[bold red]error {error.code}:[/] {_shown(str(error))}")
    for note in getattr(error, "__notes__", ()):
        ERRORS.print(f"  {_shown(note)}")
    if error.hint:
        ERRORS.print(f"  [bold]hint:[/] {_shown(error.hint)}")


def restore_terminal() -> None:
    """Show the cursor again, below what a process left that was killed as it showed its progress."""
    ERRORS.show_cursor()
    if ERRORS.is_terminal:
        ERRORS.line()


def note(text: str) -> None:
    """Something worth knowing that is no result."""
    ERRORS.print(_shown(text))


def say(text: str) -> None:
    """A result in one line, whatever a device, a server or a bundle put into it."""
    typer.echo(line(text))


def say_lines(text: str) -> None:
    """A result of several lines that ends with a line break: a report, or what a console said."""
    typer.echo(lines(text), nl=False)


def print_json(document: object) -> None:
    """The one document that `--json` promises."""
    typer.echo(json_lines(json.dumps(document, indent=2, allow_nan=False, ensure_ascii=False)))


def print_table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Aligned columns, whole words, however narrow the terminal; in a pipe, which has no width, one line a row."""
    console, aligned = Console(highlight=False), _aligned((headings, *rows))
    if not console.is_terminal:
        typer.echo("\n".join(aligned))
    elif max(map(cell_len, aligned)) <= console.width:  # rich takes 20 times as long, and would do no more
        console.print(Text(aligned[0], "bold"))
        typer.echo("".join(f"{row}\n" for row in aligned[1:]), nl=False)
    else:
        console.print(_folded(headings, rows))


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """A line for each row, whose columns are two spaces apart."""
    cells = [[line(cell, MAX_WORDS) for cell in row] for row in rows]
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
    """Words from anywhere as rich prints them: cut, without escapes of terminals, and without markup."""
    return escape(line(text, MAX_WORDS))


@contextmanager
def progress(title: str) -> Iterator[Watch]:
    """Shows the stage that runs, and each one's time when it ends; silent when stderr is not a terminal.

    Whatever is printed inside, by a user's code or by native code, goes to stderr: stdout is for results.
    No stage starts once a signal came.
    """
    with _stdout_to_stderr():
        if ERRORS.is_terminal:
            with _status(title) as watch:
                yield watch
        else:
            yield _watch_silently


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


def _watch_silently(name: str, stage: StageRecord | str | None) -> None:
    if not isinstance(stage, StageRecord):
        stop.check()
