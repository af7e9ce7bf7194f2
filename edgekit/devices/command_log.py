"""The log of what is done on devices: logger `edgekit.devices`.

INFO    a command that ended: URL of the device, command line (shortened), seconds, exit status or the error
DEBUG   a connection; a file that was pushed or pulled, with its size in bytes; seconds
"""

from __future__ import annotations

import contextlib
import logging
import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path, PurePosixPath
from time import monotonic
from typing import Literal

from edgekit.devices.transport import Completed
from edgekit.untrusted.sanitize import line

LOGGER = logging.getLogger("edgekit.devices")
WORD_CHARACTERS, LINE_CHARACTERS = 60, 400
HIDDEN = "…"


class HiddenWord(str):
    """Word of a command line that the log shows as `…`: a secret, such as the token of a lease."""

    __slots__ = ()


def logged_run(url: str, argv: Sequence[str], run: Callable[[], Completed]) -> Completed:
    """Call `run`, which runs `argv` on the device at `url`, and log its end. Raises what `run` does."""
    started = monotonic()
    try:
        completed = run()
    except BaseException as error:
        _log_command(url, argv, monotonic() - started, type(error).__name__)
        raise
    _log_command(url, argv, monotonic() - started, f"exit {completed.returncode}")
    return completed


@contextlib.contextmanager
def logged_transfer(url: str, verb: Literal["push", "pull"], remote: PurePosixPath, local: Path) -> Iterator[None]:
    """Log the file that the block moves, once it has; its size is that of `local` at the end."""
    started = monotonic()
    try:
        yield
    except BaseException as error:
        LOGGER.debug("%s: %s '%s': %s after %.2f s", url, verb, _word(remote), type(error).__name__, _since(started))
        raise
    if LOGGER.isEnabledFor(logging.DEBUG):
        size = local.stat().st_size
        LOGGER.debug("%s: %s '%s': %d bytes in %.2f s", url, verb, _word(remote), size, _since(started))


@contextlib.contextmanager
def logged_connection(url: str) -> Iterator[None]:
    """Log the connection that the block makes, or the error that it ends with."""
    started = monotonic()
    try:
        yield
    except BaseException as error:
        LOGGER.debug("%s: connect: %s after %.2f s", url, type(error).__name__, _since(started))
        raise
    LOGGER.debug("%s: connected in %.2f s", url, _since(started))


def shortened(argv: Sequence[str]) -> str:
    """The command line on one printable line: long words without their middle, secrets as `…`."""
    words = (HIDDEN if isinstance(word, HiddenWord) else shlex.quote(_word(word)) for word in argv)
    return line(" ".join(words), LINE_CHARACTERS)


def _log_command(url: str, argv: Sequence[str], seconds: float, end: str) -> None:
    if LOGGER.isEnabledFor(logging.INFO):
        LOGGER.info("%s: %s: %.2f s, %s", url, shortened(argv), seconds, end)


def _word(word: object) -> str:
    return line(str(word), WORD_CHARACTERS)


def _since(started: float) -> float:
    return monotonic() - started
