"""Server Triton, by pytriton: the server is another process, which calls this one through shared memory."""

from __future__ import annotations

import contextlib
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig, TritonSecurityConfig

from .batches import Array, Batches

MAX_BATCH = 256
RESTRICTED = ["shared-memory", "model-repository", "trace", "logging"]
"""Endpoints that are closed: those that pytriton closes by default, except statistics."""


def serve(slot: Path, name: str, http_port: int, grpc_port: int) -> None:
    _sweep()
    model = Batches(slot)

    @batch  # type: ignore[untyped-decorator]
    def answer(**inputs: Array) -> dict[str, Array]:
        arrays = model.answer([inputs[tensor.name] for tensor in model.inputs])
        return {tensor.name: array for tensor, array in zip(model.outputs, arrays)}

    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=http_port,
        grpc_address="127.0.0.1",
        grpc_port=grpc_port,
        allow_metrics=False,
        exit_timeout_secs=0,  # else it waits 30 s for clients that keep their connection
    )
    security = TritonSecurityConfig(restricted_endpoints=RESTRICTED)
    triton = Triton(config=config, security_config=security, workspace=slot.parent / "triton")
    triton.bind(
        model_name=name,
        infer_func=answer,
        inputs=[_tensor(tensor.name, np.dtype(tensor.dtype), tensor.shape) for tensor in model.inputs],
        outputs=[_tensor(tensor.name, model.output_dtype(tensor), tensor.shape) for tensor in model.outputs],
        config=ModelConfig(max_batch_size=MAX_BATCH),
    )
    triton.run()
    sys.stdin.read()
    triton.stop()


def _tensor(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Tensor:
    return Tensor(name=name, dtype=dtype.type, shape=shape[1:])


def _sweep() -> None:
    """Remove the shared memory of servers that were killed: `pytrtion` (so in pytriton) and their process id."""
    for path in Path("/dev/shm").glob("pytrtion*-*"):  # noqa: S108
        match = re.match(r"pytrtion(\d+)-", path.name)
        if match and not Path("/proc", match[1]).is_dir():
            with contextlib.suppress(OSError):
                path.unlink()
