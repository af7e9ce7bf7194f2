"""Log of ExecuTorch's runtime as it loads or runs a file: a node that XNNPACK refuses, an instruction that failed."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping

from executorch.exir._serialize._program import deserialize_pte_binary

from edgekit.backends.executorch import xnnpack_blob
from edgekit.backends.executorch.convert import Conversion

REFUSAL = re.compile(r"(?P<line>Failed to (?:create|define) (?P<what>.+?) (?P<number>\d+)\b.*?xnn_status_\w+)")
"""Pattern of the runtime's line, as executorch 1.5.1 words it. Nodes are numbered by the converter's debug handles."""
DELEGATE = re.compile(r"CALL_DELEGATE execute failed at instruction (?P<number>\d+)")
"""Pattern of the runtime's line on a delegate that failed while it ran, as executorch 1.5.1 words it."""
KERNEL = re.compile(r"KernelCall failed at instruction \d+:(?P<number>\d+) in operator (?P<name>[\w:.]+): 0x")
"""Pattern of the runtime's line on a kernel that failed."""
PREFIX = re.compile(r"^\[(?!cpuinfo)[\w.]+:\d+\] ")
"""Pattern of the source line before each message; messages on the host's processor are none of an instruction."""
PLACES = 3
"""Largest number of places to name: a tensor's number is unique in one delegate only."""


@contextlib.contextmanager
def runtime_log() -> Iterator[Callable[[], str]]:
    """Collect what the runtime writes to file descriptor 2, and its Python bindings to `sys.stderr`; then write it out.

    Yields a function that reads it.
    """
    error = os.dup(2)
    with tempfile.TemporaryFile() as log, os.fdopen(os.dup(log.fileno()), "w", buffering=1) as lines:
        os.dup2(log.fileno(), 2)

        def text() -> str:
            log.seek(0)
            return log.read().decode("utf-8", "replace")

        try:
            with contextlib.redirect_stderr(lines):
                yield text
        finally:
            os.dup2(error, 2)
            os.write(2, text().encode())
            os.close(error)


def refusal(log: str, data: bytes, places: Mapping[int, str]) -> str:
    """Sentence on what XNNPACK refused in the file `data`, such as `Failed to create … node 317 with code: …: …`.

    places: operator and place of each debug handle. Empty if the log has no such line.
    """
    match = REFUSAL.search(log)
    if match is None:
        return ""
    number = int(match["number"])
    handles = _readers(data, number) if match["what"] == "tensor" else [number]
    known = list(dict.fromkeys(places[handle] for handle in handles if handle in places))
    where = " or ".join(known) if len(known) <= PLACES else ""
    return f"{match['line']}{f': {where}' if where else ''}"


def failed_instruction(log: str, data: bytes, converted: Conversion) -> str:
    """Sentence on the instruction of the file `data` that failed: its operators with their places, and the reason.

    Empty if the log does not tell.
    """
    match = DELEGATE.search(log) or KERNEL.search(log)
    if match is None:
        return ""
    before = [line for line in log[: log.rfind("\n", 0, match.start()) + 1].splitlines() if PREFIX.match(line)]
    reason = f": {PREFIX.sub('', before[0])}" if before else ""
    if match.re is KERNEL:
        module = converted.modules.get(int(match["number"]), "")
        where = f" in module '{module}'" if module else ""
        return f"kernel '{match['name']}'{where} failed at instruction {match['number']}{reason}"
    program = deserialize_pte_binary(data).program
    (plan,) = program.execution_plan
    call = plan.chains[0].instructions[int(match["number"])].instr_args
    blob = program.backend_delegate_data[plan.delegates[call.delegate_index].processed.index].data
    handles = xnnpack_blob.debug_handles(blob)
    known = [converted.places[handle] for handle in handles if handle in converted.places]
    where = f", from {known[0]} to {known[-1]}" if known else ""
    return f"XNNPACK failed at instruction {match['number']}{where}{reason}"


def _readers(data: bytes, tensor: int) -> list[int]:
    """Debug handles of the nodes that read or write a tensor, in the delegates where it has most axes."""
    users = [
        (rank, handle)
        for delegate in deserialize_pte_binary(data).program.backend_delegate_data
        for rank, handle in xnnpack_blob.users(delegate.data, tensor)
    ]
    most = max((rank for rank, _ in users), default=0)
    return [handle for rank, handle in users if rank == most]
