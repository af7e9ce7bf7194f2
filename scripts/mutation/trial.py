"""One mutant put into a private copy of the checkout, and the tests that should notice."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from scripts.mutation.operators import Mutant

Outcome = Literal["killed", "timed out", "survived"]
ALWAYS_THE_SAME = ("-p", "no:cacheprovider", "--hypothesis-seed=0")
# Without emulated devices: each would be minutes a mutant.
PYTEST = ("-m", "pytest", "-x", "-q", "-k", "not emulat", "--no-header", "--tb=short", *ALWAYS_THE_SAME)


@dataclass
class Copy:
    """The tracked files of a checkout, in a folder of their own: no mutant is ever in the checkout itself."""

    root: Path
    changes: int = field(default=0)

    @property
    def output(self) -> Path:
        """File with the output of the last tests."""
        return self.root.with_name("output.txt")

    @classmethod
    def of(cls, checkout: Path, root: Path) -> Copy:
        """Copy what git tracks, and what it does not ignore."""
        argv = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listed = subprocess.run(argv, cwd=checkout, check=True, capture_output=True, timeout=60).stdout
        for name in filter(None, listed.decode().split("\0")):
            if (checkout / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(checkout / name, root / name)
        return cls(root)

    @contextmanager
    def mutated(self, source: Path, mutant: Mutant) -> Iterator[None]:
        """The mutant in its place."""
        whole = (self.root / source).read_bytes()
        self._write(source, mutant.applied(whole))
        try:
            yield
        finally:
            self._write(source, whole)

    def _write(self, source: Path, content: bytes) -> None:
        """Write a module at a time that no compiled one has, for Python takes these by time and size."""
        self.changes += 1
        (self.root / source).write_bytes(content)
        os.utime(self.root / source, (10**9 + self.changes,) * 2)

    def test(self, files: Sequence[str], limit_s: float) -> tuple[Outcome, float]:
        """Run tests: their outcome, and after how many seconds. Raises RuntimeError where there is nothing to run."""
        environment = {**os.environ, "PYTHONPATH": str(self.root)}
        for name in ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS"):  # what a person's own runs of tests are given
            environment.pop(name, None)
        began = time.monotonic()
        argv = [sys.executable, *PYTEST, f"--basetemp={self.root.parent / 'temporary'}", *files]
        # A session of its own: what a mutant leaves running ends with it.
        with self.output.open("wb") as output:
            running = subprocess.Popen(
                argv, cwd=self.root, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        try:
            code = running.wait(limit_s)
        except subprocess.TimeoutExpired:
            return "timed out", time.monotonic() - began
        finally:
            _end(running)
        if code in (4, 5):
            raise RuntimeError(f"pytest found nothing to run in {' '.join(files)}")
        return "killed" if code else "survived", time.monotonic() - began


def _end(running: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(running.pid, signal.SIGKILL)
    running.wait()
