"""Generation by a language model: the tokens behind a prompt, and the times and memory that they took."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from edgekit.ir.measurement import Array, Process, Validity


@dataclass(frozen=True)
class GenerationRun:
    """Texts that were generated with one number of threads. Times are empty on an emulated device, which has none."""

    threads: int
    first_token_ns: Array
    """int64 [texts]: time from the start of a text to its first token, which is reading the prompt."""
    token_ns: Array
    """int64 [M]: time from one token to the next, of all texts in order."""
    validity: Validity
    processes: tuple[Process, ...]
    load_ns: int
    cold_first_token_ns: int
    """Time to the first token of the first text, with what a model does once."""
    peak_rss_bytes: int | None
    memory: Mapping[int, int | None]
    """Resident memory of the process in bytes, by the number of tokens in the cache."""
    copied_bytes_per_s: float
    """Bandwidth of the memory with as many threads: bytes read and written by copying (STREAM)."""
    prompt_instructions: int | None = None
    """Instructions that reading the prompt takes, in user space; None where the kernel counts none."""
    token_instructions: int | None = None
    """Instructions of reading one token behind it."""


@dataclass(frozen=True)
class Generation:
    """One prompt, continued by each number of threads."""

    prompt_tokens: int
    tokens: tuple[int, ...]
    """Tokens that follow, each the most likely one."""
    text: str | None
    """Text of these tokens; None where the bundle has no tokenizer, or one whose texts are not known here."""
    model_bytes: int
    """Size of the model's files, an upper bound of the weights that a token reads."""
    state_bytes: int
    """Size of the state: the cache that a token reads."""
    last_cache_bytes: int
    """Size of the processor's largest cache; 0 where it is unknown."""
    cores: int
    runtime: str
    machine: str
    emulated: bool
    runs: tuple[GenerationRun, ...]
