"""Outcome of a case: taken, refused by a code, or a promise that was broken."""

from __future__ import annotations

import contextlib
import io
import os
import signal
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edgekit.cli import output
from edgekit.errors import EdgekitError
from edgekit.runner.machine.system import peak_rss_bytes


class Refused(Exception):
    """A reader refuses a file the way its callers expect, who give that a code."""


ALLOWED = set("\n")
ENDED_AFTER = 3
"""Times its limit, a case is ended."""
SHOWN_CHARS = 12_000
"""Limit for an error with its notes and hint: each line of them is cut."""


@dataclass
class Tally:
    """Counts of what cases ended as, and those that broke a promise."""

    limit_s: float
    codes: Counter[str] = field(default_factory=Counter)
    broken: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    def __str__(self) -> str:
        ends = ", ".join(f"{code} {count:,}" for code, count in sorted(self.codes.items()))
        return f"{sum(self.codes.values()):,} cases, {len(self.broken)} broken; slowest {self.slowest_s:.2f} s; {ends}"

    def note(self, name: str, case: Callable[[], object], folder: Folder | None = None, patience: float = 1) -> None:
        """Run one case, and look what it said, how long it took, and what it left.

        `patience` makes its limit longer, for what starts processes.
        """
        limit_s = patience * self.limit_s
        began = time.monotonic()
        try:
            with _ended_after(ENDED_AFTER * limit_s):
                case()
            code = "taken"
        except TookTooLong:
            code = "endless"  # told below
        except EdgekitError as error:
            code = error.code
            self._check_words(name, error)
        except Refused:
            code = "refused"
        except Exception as error:  # noqa: BLE001  what nobody thought of is what is looked for
            code = "EK000"
            last = traceback.extract_tb(error.__traceback__)[-1]
            self.broken.append(f"{name}: {type(error).__name__} at {last.filename}:{last.lineno}: {str(error)[:200]}")
        seconds = time.monotonic() - began
        self.codes[code] += 1
        self.slowest_s = max(self.slowest_s, seconds)
        if seconds > limit_s:
            self.broken.append(f"{name}: took {seconds:.1f} s")
        if folder:
            self.broken += [f"{name}: {left}" for left in folder.left()]

    def _check_words(self, name: str, error: EdgekitError) -> None:
        """Check the text that a person would see: printable, and not the whole of what a device said."""
        with contextlib.redirect_stderr(io.StringIO()) as stderr:
            output.print_error(error)
        shown = stderr.getvalue()
        if len(shown) > SHOWN_CHARS or not all(letter.isprintable() or letter in ALLOWED for letter in shown):
            self.broken.append(f"{name}: {len(shown)} characters are shown, or an escape: {shown[:200]!r}")


class TookTooLong(BaseException):
    """A case was ended: nothing that it calls may take this for an error of its own."""


@contextlib.contextmanager
def _ended_after(seconds: float) -> Iterator[None]:
    """End what runs meanwhile, a search by a regular expression as well, once it has taken so long."""

    def end(*_: object) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@dataclass(frozen=True)
class Folder:
    """A folder in which the cases of one run are at home, and where nothing may be left or changed beside `theirs`."""

    path: Path
    theirs: Path
    """Folder for the files of the hostile side."""

    @classmethod
    def made(cls, path: Path) -> Folder:
        for name in ("tmp", "theirs", "beside"):
            (path / name).mkdir()
        (path / "beside" / "file").write_text("as it was")
        os.environ["TMPDIR"] = tempfile.tempdir = str(path / "tmp")
        os.environ |= {f"EDGEKIT_{place}": str(path / "theirs" / "home") for place in ("CACHE", "CONFIG", "DATA")}
        return cls(path, path / "theirs")

    def left(self) -> list[str]:
        """Files that should not be there, or are not as they were."""
        wanted = {self.path / "beside" / "file"}
        present = {
            Path(folder) / name
            for folder, _, names in os.walk(self.path)
            for name in names
            if not Path(folder).is_relative_to(self.theirs)
        }
        text = (self.path / "beside" / "file").read_text() if wanted <= present else ""
        return [str(path) for path in present ^ wanted] + ([] if text == "as it was" else ["a file was changed"])


def peak_mb() -> int:
    """Peak memory of this process, in MB."""
    return (peak_rss_bytes() or 0) // 1_000_000
