"""A worker: a process that holds the model of a slot, and answers one frame of requests after another."""

from __future__ import annotations

import json
import select
import socket
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from ..errors import RunnerError
from ..failure import failure
from .frame import COUNT, REQUEST, answer_frame
from .served_slot import read_served

if TYPE_CHECKING:
    from ..counts.answer_counter import AnswerCounter
    from ..model.tensors import Array
    from .committed_model import CommittedModel
    from .tensor_message import InferRequest, TensorMessages

Received = tuple[int | None, memoryview]
"""Bytes of JSON, None for all of it, and the body."""
Inference = Any
"""Columns [N, …] as the model took them, real outputs [N, …], count of requests, and nanoseconds."""
STATUS = {"data": 400}
"""HTTP status by kind of a RunnerError; 500 of any other."""


def work(root: Path, digest: str, threads: int, channel: socket.socket) -> None:
    """Load the model that `root` serves, announce it, and answer frames until the server closes the channel.

    digest: the bundle that the server wants; another one is refused.
    """
    try:
        from ..counts.answer_counter import AnswerCounter
        from .committed_model import CommittedModel
        from .tensor_message import TensorMessages

        served = read_served(root)
        if served.digest != digest:
            raise RunnerError("state", "another bundle has been committed meanwhile")
        model = CommittedModel.load(served, threads)
        messages = TensorMessages(model.signature, served.name, served.version)
        counter = AnswerCounter.of(served.slot, root, digest, model.loaded.manifest, model.first)
    except Exception as error:  # noqa: BLE001 whatever a runtime raises must reach the server
        _announce(channel, failure(error))
        return
    _announce(channel, model.metadata)
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    while True:
        if counter:
            _wait(poll, counter)
        requests = _receive(channel)
        if requests is None:
            break
        parts: list[bytes] = []
        inferences: list[Inference] = []
        for answer in _answers(model, messages, requests, inferences):
            parts += answer
        _send(channel, parts)
        if counter:
            for inference in inferences:
                counter.count(*inference)
    if counter:
        counter.close()


def _wait(poll: select.poll, counter: AnswerCounter) -> None:
    """Wait for a request, and write counts that are due meanwhile."""
    counter.tick()
    while counter.wait_s is not None and not poll.poll(1000 * counter.wait_s + 1):
        counter.tick()


def _answers(
    model: CommittedModel, messages: TensorMessages, requests: list[Received], inferences: list[Inference]
) -> list[list[bytes]]:
    """Answer each request: together as far as one batch of the model holds them, else one after another.

    inferences: to which each inference that was made is added, to be counted once the answers are sent.
    """
    started = perf_counter_ns()
    read: list[InferRequest | list[bytes]] = [_read(messages, request) for request in requests]
    columns = [each.columns for each in read if not isinstance(each, list)]
    if not columns:
        return [each for each in read if isinstance(each, list)]
    if len({tuple(column.shape[1:] for column in each) for each in columns}) > 1:
        # Samples of several lengths are no batch.
        return [answer for request in requests for answer in _answers(model, messages, [request], inferences)]
    joined = columns[0] if len(columns) == 1 else _joined(columns)
    input_ns = perf_counter_ns() - started
    try:
        outputs = model.outputs(joined)
    except Exception as error:  # noqa: BLE001 whatever a runtime raises must reach the client
        refused = _refused(error)
        return [each if isinstance(each, list) else refused for each in read]
    infer_ns = perf_counter_ns() - started - input_ns
    inferences.append((joined, outputs, len(columns), infer_ns))
    answers, at = [], 0
    for each in read:
        if isinstance(each, list):
            answers.append(each)
            continue
        rows = len(each.columns[0])
        began = perf_counter_ns()
        try:
            json_length, body = messages.write(each, [output[at : at + rows] for output in outputs])
            times_ns = (input_ns // len(columns), infer_ns // len(columns), perf_counter_ns() - began)
            answers.append(answer_frame(200, json_length, body, times_ns))
        except RunnerError as error:
            answers.append(_refused(error))
        at += rows
    return answers


def _joined(columns: list[list[Array]]) -> list[Array]:
    import numpy as np

    return [np.concatenate(arrays) for arrays in zip(*columns)]


def _read(messages: TensorMessages, request: Received) -> InferRequest | list[bytes]:
    """Read a request, or the answer that refuses it."""
    try:
        return messages.read(request[1], request[0])
    except RunnerError as error:
        return _refused(error)


def _refused(error: Exception) -> list[bytes]:
    reason = failure(error)
    body = json.dumps({"error": reason["error"]}).encode()
    return answer_frame(STATUS.get(reason["kind"], 500), None, [body], (0, 0, 0))


def _announce(channel: socket.socket, document: dict[str, Any]) -> None:
    _send(channel, answer_frame(503 if "error" in document else 200, None, [json.dumps(document).encode()], (0, 0, 0)))


def _receive(channel: socket.socket) -> list[Received] | None:
    """Receive a frame of requests; None once the server has closed the channel."""
    head = _exactly(channel, COUNT.size)
    if head is None:
        return None
    (count,) = COUNT.unpack(head)
    lengths = _exactly(channel, count * REQUEST.size)
    if lengths is None:
        return None
    stated = list(REQUEST.iter_unpack(lengths))
    bodies = _exactly(channel, sum(length for _, length in stated))
    if bodies is None:
        return None
    requests, at = [], 0
    for json_length, length in stated:
        requests.append((None if json_length < 0 else json_length, bodies[at : at + length]))
        at += length
    return requests


def _exactly(channel: socket.socket, count: int) -> memoryview | None:
    buffer = memoryview(bytearray(count))
    at = 0
    while at < count:
        received = channel.recv_into(buffer[at:])
        if not received:
            return None
        at += received
    return buffer


def _send(channel: socket.socket, parts: list[bytes]) -> None:
    """Send the parts as they are, without joining what is large."""
    whole = sum(map(len, parts))
    sent = channel.sendmsg(parts[:IOV_MAX])
    if sent < whole:
        channel.sendall(b"".join(parts)[sent:])


IOV_MAX = 512
"""Parts that one call may send: the systems allow 1,024 (limits.h)."""
