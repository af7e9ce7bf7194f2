"""`python -m inside.triton SLOT NAME HTTP_PORT GRPC_PORT`: Triton on loopback, while its standard input is open."""

from __future__ import annotations

import os
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
"""What pytriton closes by itself, but for the statistics."""


def main(slot: Path, name: str, http_port: int, grpc_port: int) -> None:
    model = Batches(slot)

    @batch  # type: ignore[untyped-decorator]
    def answer(**inputs: Array) -> dict[str, Array]:
        given = model.answer([inputs[tensor.name] for tensor in model.inputs])
        return {tensor.name: array for tensor, array in zip(model.outputs, given)}

    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=http_port,
        grpc_address="127.0.0.1",
        grpc_port=grpc_port,
        allow_metrics=False,
        exit_timeout_secs=0,
    )
    security = TritonSecurityConfig(restricted_endpoints=RESTRICTED)
    triton = Triton(config=config, security_config=security, workspace=slot.parent / "triton")
    triton.bind(
        model_name=name,
        infer_func=answer,
        inputs=[_tensor(tensor.name, np.dtype(tensor.dtype), tensor.shape) for tensor in model.inputs],
        outputs=[_tensor(tensor.name, model.given(tensor), tensor.shape) for tensor in model.outputs],
        config=ModelConfig(max_batch_size=MAX_BATCH),
    )
    triton.run()
    sys.stdin.read()
    triton.stop()


def _tensor(name: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Tensor:
    return Tensor(name=name, dtype=dtype.type, shape=shape[1:])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    os._exit(0)  # threads of its client would be waited for
