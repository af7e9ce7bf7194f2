"""The one error of the runner: the host reads its kind."""

from __future__ import annotations


class RunnerError(Exception):
    """What could not be done.

    `kind` is one word: usage data runtime load run counter state busy leased storage closed (no permission) memory
    system; of a bundle that may not come here, signature trust refused version expired; of what a device has lost,
    damaged (the files of a slot), garbled (what says which slot holds what), unpinned (whom it trusts).
    """

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
