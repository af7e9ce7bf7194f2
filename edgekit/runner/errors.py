"""The one error of the runner: the host reads its kind."""

from __future__ import annotations

from typing import Literal

ErrorKind = Literal[
    "usage",
    "data",
    "runtime",
    "load",
    "run",
    "counter",
    "state",
    "busy",
    "leased",
    "storage",
    "closed",
    "memory",
    "system",
    "signature",
    "trust",
    "refused",
    "version",
    "expired",
    "damaged",
    "garbled",
    "unpinned",
    "accelerator",
    "library",
    "driver",
    "adapter",
    "vram",
    "operators",
    "hung",
    "nan",
    "package",
    "context",
    "formats",
    "crashed",
]
"""Word by which the host tells one failure from another.

usage       an argument that makes no sense                 signature   a bundle whose signature is wrong
data        a file that cannot be read, or has another form trust       signed by too few keys that are trusted here
runtime     no runtime, or one that does not import         refused     for another target or machine
load        a model that does not load                      version     below the version floor (anti-rollback)
run         a model that fails while it runs                expired     after the time until which it may be installed
counter     no instruction counter                          damaged     files of a slot that are not whole
state       no slot in the state that a verb needs          garbled     no record of which slot holds what
busy        the slots are locked by another process         unpinned    no record of the trusted keys
leased      another host holds the lease                    closed      no permission
storage     the disk is full                                memory      out of memory
system      any other failure of the system

Of a run on an accelerator:

accelerator no runtime here knows such an accelerator      vram        the accelerator's memory does not hold the model
library     the runtime lacks its library for it            operators   it refuses operators of the model
driver      the system has no driver for it                 hung        it gave no answer within the time limit
adapter     the driver finds no device                      nan         it answers numbers that are not finite
package     a package that drives it is not installed       formats     it computes in other number formats
context     a binary for another accelerator or SDK         crashed     it ended the process by a signal
"""


class RunnerError(Exception):
    """An operation that the runner could not do: a message for people, and its kind for the host."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
