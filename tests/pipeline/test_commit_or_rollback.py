"""Taking back what a run flashed, after an error."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from edgekit.errors import CommandFailed, DeviceBusy, EdgekitError, LoadError, ProbeError, Unreachable
from edgekit.pipeline import commit_or_rollback
from edgekit.pipeline.commit_or_rollback import take_back


@pytest.mark.parametrize("error", [ProbeError("damaged"), CommandFailed("dropped")])
def test_a_probe_that_another_flash_disturbed_is_told_so(monkeypatch: pytest.MonkeyPatch, error: EdgekitError) -> None:
    _refusing(monkeypatch, DeviceBusy("another edgekit flashed it"))
    with pytest.raises(DeviceBusy, match="another edgekit flashed it"):
        take_back(_installation(committed=False), error)


@pytest.mark.parametrize(
    ("error", "refusal"),
    [
        (LoadError("the user's code"), DeviceBusy("another edgekit flashed it")),
        (KeyboardInterrupt(), DeviceBusy("another edgekit flashed it")),
        (ProbeError("damaged"), Unreachable("nobody there")),
    ],
)
def test_what_went_wrong_before_is_what_is_told(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, refusal: EdgekitError
) -> None:
    _refusing(monkeypatch, refusal)
    take_back(_installation(committed=False), error)


def test_what_is_committed_is_not_taken_back(monkeypatch: pytest.MonkeyPatch) -> None:
    _refusing(monkeypatch, AssertionError("rolled back"))
    take_back(_installation(committed=True), ProbeError("damaged"))


def _installation(committed: bool) -> Any:
    return SimpleNamespace(committed=committed)


def _refusing(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def rollback(installation: object) -> None:
        raise error

    monkeypatch.setattr(commit_or_rollback, "rollback", rollback)
