"""Timing of generation: the first token of a text, and each that follows, with memory as the cache grows."""

from __future__ import annotations

import gc
from array import array
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from ..machine import system
from .loop import AGREED, LOOK_NS, Look, nothing, unobserved

if TYPE_CHECKING:
    from ..model.tensors import Array
    from .instruction_counter import Counter

COUNTED = 8
"""Tokens whose instructions are counted, of which the least are the figure."""
PLACES = 8
"""Moments of the first text at which resident memory is read, the end of the prompt among them."""


class Decoder(Protocol):
    """Language model that reads tokens, `runtimes.token_decoder.TokenDecoder`."""

    def reset(self) -> None: ...
    def prefill(self, tokens: Sequence[int]) -> Array: ...
    def decode(self, token: int) -> Array: ...


class FirstText(NamedTuple):
    """Text that is generated first, and not timed: it warms the model up."""

    tokens: list[int]
    first_ns: int
    """Time to the first token, with everything that a model does once."""
    whole_ns: int
    steady: bool
    """True if the second half of the text went at the pace of the first, within 5 %."""
    memory: list[tuple[int, int | None]]
    """Tokens in the cache, and the bytes of resident memory then."""


class TokenTimes(NamedTuple):
    """Times of texts that were generated one after another, in nanoseconds."""

    first_token_ns: npt.NDArray[np.int64]
    """From the start of a text to its first token, which is reading the prompt, int64 [texts]."""
    token_ns: npt.NDArray[np.int64]
    """From one token to the next, int64 [M]."""


class TokenInstructions(NamedTuple):
    """Instructions of a decoder in user space, of all its threads; None where the kernel counts none."""

    prompt: int | None = None
    """Reading the prompt."""
    token: int | None = None
    """Reading one token behind it: the least of some."""


def counted_text(decoder: Decoder, prompt: Sequence[int], tokens: Sequence[int], counter: Counter) -> TokenInstructions:
    """Count the instructions of reading a prompt, and then those of `tokens` that were generated behind it.

    counter: opened before the decoder was loaded, so that it counts its threads.
    """
    decoder.reset()
    collected = gc.isenabled()
    gc.disable()
    try:
        read = counter.each(decoder.prefill, prompt, 1)[0]
        each = [counter.each(decoder.decode, token, 1)[0] for token in tokens[:COUNTED]]
    finally:
        if collected:
            gc.enable()
    return TokenInstructions(read, min(each))


def first_text(decoder: Decoder, prompt: Sequence[int], count: int) -> FirstText:
    """Generate `count` tokens behind a prompt, each the most likely one."""
    shown = {round(i * (count - 1) / max(1, PLACES - 1)) for i in range(PLACES)}
    began = before = perf_counter_ns()
    token = _most_likely(decoder.prefill(prompt))
    first_ns = perf_counter_ns() - began
    tokens, times, memory = [token], [], [(len(prompt), system.rss_bytes())]
    for i in range(1, count):
        before = perf_counter_ns()
        token = _most_likely(decoder.decode(token))
        times.append(perf_counter_ns() - before)
        tokens.append(token)
        if i in shown:
            memory.append((len(prompt) + i, system.rss_bytes()))
    half = len(times) // 2
    halves = [median(times[:half]), median(times[half:])] if half else [1, 1]
    steady = max(halves) <= (1 + AGREED) * min(halves)
    return FirstText(tokens, first_ns, perf_counter_ns() - began, steady, memory)


def timed_texts(
    decoder: Decoder,
    prompt: Sequence[int],
    count: int,
    min_count: int,
    min_duration_s: float,
    look: Look = unobserved,
    started: Callable[[], None] = nothing,
) -> TokenTimes:
    """Generate the same text, of two tokens or more, until `min_count` tokens and `min_duration_s` seconds were timed.

    `look` is called every half a second between two tokens; the token after it is not timed, as a look empties caches.
    """
    firsts, times = array("q"), array("q")
    collected = gc.isenabled()
    gc.disable()
    try:
        started()
        began = now = perf_counter_ns()
        deadline, next_look = began + int(min_duration_s * 1e9), began + LOOK_NS
        while not firsts or now < deadline or len(times) < min_count:
            decoder.reset()
            looked = False
            begun = perf_counter_ns()
            token = _most_likely(decoder.prefill(prompt))
            now = perf_counter_ns()
            firsts.append(now - begun)
            for _ in range(count - 1):
                begun = perf_counter_ns()
                token = _most_likely(decoder.decode(token))
                now = perf_counter_ns()
                if not looked:
                    times.append(now - begun)
                looked = now >= next_look
                if looked:
                    look(now - began, len(times))
                    next_look = now + LOOK_NS
        look(now - began, len(times))
    finally:
        if collected:
            gc.enable()
    return TokenTimes(_int64(firsts), _int64(times))


def _most_likely(logits: Any) -> int:
    return int(logits.argmax())


def _int64(times: array[int]) -> npt.NDArray[np.int64]:
    return np.array(times, np.int64)
