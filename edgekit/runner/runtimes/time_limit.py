"""Time limit of a call into a library that may never return."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..errors import RunnerError


def within(limit_s: float, what: str, call: Callable[[], Any]) -> Any:
    """Return what `call` returns, raise what it raises; RunnerError (hung) if it takes longer than `limit_s` seconds.

    It runs in a thread of its own, which cannot be stopped: after such an error this program has to end. The call must
    release Python's lock, as calls of onnxruntime do.
    """
    answer: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            answer.append(call())
        except BaseException as error:  # noqa: BLE001  raised again in the thread that waits
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(limit_s)
    if thread.is_alive():
        raise RunnerError("hung", f"{what} did not end within {limit_s:g} s")
    if failure:
        raise failure[0]
    return answer[0]
