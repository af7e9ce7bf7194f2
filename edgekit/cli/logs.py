"""Logging of a command: edgekit's own log lines on stderr (`--verbose`) and in a file (`--log`), without secrets.

Log lines come from the loggers `edgekit.*`: `edgekit.pipeline` has each stage, `edgekit.devices` each command on a
device. Those of other packages stay silent (`silence_others`).
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Callable
from pathlib import Path

from edgekit.permissions import private_opener
from edgekit.untrusted.sanitize import line

OWN = "edgekit"
"""Logger above all of edgekit's."""
MAX_CHARACTERS = 4000
"""Characters of a log line; of a longer one the middle is left out."""
HIDDEN = "…"
_NAME = r"(?:[\w-]*[-_])?(?:pass(?:word|phrase)|pin(?:-value)?|token|secret|api[-_]?key)"
_VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s"',;&}\]]+)"""
SECRETS = (
    re.compile(r"(?is)(-----BEGIN [^-]*PRIVATE KEY-----).*?(?:-----END [^-]*PRIVATE KEY-----|\Z)"),
    re.compile(rf"(?i)(authorization[\"']?\s*[:=]\s*[\"']?)(?:(?:basic|bearer|digest|token)\s+)?{_VALUE}"),
    re.compile(rf"(?i)(\bbearer\s+){_VALUE}"),
    re.compile(rf"(?i)((?<![\w-]){_NAME}[\"']?\s*[:=]\s*){_VALUE}"),
    re.compile(rf"(?i)((?<![\w-])--{_NAME}[\"']?,?\s+){_VALUE}"),
    re.compile(r"(\w://[^\s/:@]*:)[^\s/@]+(?=@)"),
)
"""Forms in which a secret may come into a line: the group is kept, the rest is hidden."""


class OwnLogger(logging.Logger):
    """Logger that `logging.disable` does not silence, for that is meant for other packages."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 the name is logging's
        if self.name.partition(".")[0] != OWN:
            return super().isEnabledFor(level)
        return not self.disabled and level >= self.getEffectiveLevel()


class LineFormatter(logging.Formatter):
    """Formatter of one printable line a record, without secrets; times are UTC."""

    def converter(self, timestamp: float | None = None) -> time.struct_time:
        return time.gmtime(timestamp)

    def format(self, record: logging.LogRecord) -> str:
        return line(without_secrets(super().format(record)), MAX_CHARACTERS)


class TerminalHandler(logging.Handler):
    """Handler that gives each log line to `show`, which prints it on stderr below the progress there."""

    def __init__(self, show: Callable[[str], None]) -> None:
        super().__init__()
        self._show = show

    def emit(self, record: logging.LogRecord) -> None:
        with contextlib.suppress(OSError, ValueError):  # stderr is closed: the command goes on
            self._show(self.format(record))


def silence_others() -> None:
    """Silence the loggers of other packages: torch and torchao log what they miss; what fails is raised."""
    logging.disable(logging.ERROR)


def log_to_terminal(show: Callable[[str], None]) -> Callable[[], None]:
    """Show log lines by `show`, once however often it is called. Returns a function that ends it."""
    if is_verbose():
        return lambda: None
    return _attach(TerminalHandler(show), "%(name)s: %(message)s")


def log_to_file(path: Path) -> Callable[[], None]:
    """Append log lines to a file, which is made for its owner alone. Returns a function that ends it.

    Raises StorageError if the file cannot be opened.
    """
    from edgekit.atomic import stored

    with stored(path):
        file = open(path, "a", encoding="utf-8", errors="backslashreplace", opener=private_opener)  # noqa: SIM115
    detach = _attach(logging.StreamHandler(file), "%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s")

    def end() -> None:
        detach()
        file.close()

    return end


def is_verbose() -> bool:
    """Return whether log lines are shown on stderr."""
    return any(isinstance(handler, TerminalHandler) for handler in logging.getLogger(OWN).handlers)


def without_secrets(text: str) -> str:
    """Hide passphrases, PINs, tokens, credentials of headers and URLs, and private keys in a text."""
    for secret in SECRETS:
        text = secret.sub(rf"\1{HIDDEN}", text)
    return text


def _attach(handler: logging.Handler, form: str) -> Callable[[], None]:
    handler.setFormatter(LineFormatter(form, "%Y-%m-%dT%H:%M:%S"))
    _spare_own_loggers()
    own = logging.getLogger(OWN)
    own.addHandler(handler)
    own.setLevel(logging.DEBUG)
    own.propagate = False

    def detach() -> None:
        own.removeHandler(handler)
        if not own.handlers:
            own.setLevel(logging.NOTSET)
            own.propagate = True

    return detach


def _spare_own_loggers() -> None:
    """Exempt edgekit's loggers from `logging.disable`, those that modules have made already, too."""
    logging.setLoggerClass(OwnLogger)
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] == OWN and type(logger) is logging.Logger:
            logger.__class__ = OwnLogger
