"""Server MLServer, with a model class of edgekit's."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse, MetadataTensor

from .batches import Batches

MESSAGE_BYTES = 256 << 20
"""Largest gRPC message: a batch of images is more than gRPC's default, 4 MB."""
NAMES = {"bool": "BOOL", "float32": "FP32", "float64": "FP64", "float16": "FP16"}
"""Datatypes of the protocol whose names are not numpy's in capitals."""


class SlotModel(MLModel):  # type: ignore[misc]
    """Model of a slot as a runtime of MLServer."""

    loaded: ClassVar[Batches]
    """Model, loaded before the server starts: MLServer would go on without one that does not load."""

    async def load(self) -> bool:
        model = self.loaded
        self.inputs = [_metadata(tensor.name, tensor.dtype, tensor.shape) for tensor in model.inputs]
        self.outputs = [
            _metadata(tensor.name, model.output_dtype(tensor).name, tensor.shape) for tensor in model.outputs
        ]
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        payloads = {tensor.name: tensor for tensor in payload.inputs}
        columns = [
            np.ascontiguousarray(NumpyCodec.decode_input(payloads[tensor.name]), np.dtype(tensor.dtype))
            for tensor in self.loaded.inputs
        ]
        answers = await asyncio.to_thread(self.loaded.answer, columns)
        return InferenceResponse(
            model_name=self.name,
            model_version=self.version,
            outputs=[
                NumpyCodec.encode_output(tensor.name, answer) for tensor, answer in zip(self.loaded.outputs, answers)
            ],
        )


def _metadata(name: str, dtype: str, shape: tuple[int, ...]) -> MetadataTensor:
    return MetadataTensor(name=name, datatype=NAMES.get(dtype, dtype.upper()), shape=[-1, *shape[1:]])


def serve(slot: Path, name: str, http_port: int, grpc_port: int) -> None:
    SlotModel.loaded = Batches(slot)
    asyncio.run(_serve(name, http_port, grpc_port))


async def _serve(name: str, http_port: int, grpc_port: int) -> None:
    settings: Any = Settings(
        debug=False,
        host="127.0.0.1",
        http_port=http_port,
        grpc_port=grpc_port,
        grpc_max_message_length=MESSAGE_BYTES,
        metrics_endpoint=None,
        parallel_workers=0,
    )
    server = MLServer(settings)
    model = ModelSettings(name=name, implementation=SlotModel)
    running = asyncio.ensure_future(server.start([model]))
    closed = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await asyncio.wait([running, closed], return_when=asyncio.FIRST_COMPLETED)
    if not running.done():
        await server.stop()
    await running
