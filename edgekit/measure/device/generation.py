"""Generation on a device: texts behind a prompt, with 1, 2 and 4 threads as far as there are cores."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edgekit.devices.flash import Installation
from edgekit.devices.measurement_protocol import Generated
from edgekit.errors import OptionError, ProbeError, TokenizerMismatch
from edgekit.ir.generation import Generation, GenerationRun
from edgekit.ir.measurement import Array, no_latency
from edgekit.ir.signature import Signature, TensorSpec
from edgekit.ir.validity import EMULATED, validity
from edgekit.measure.device.processes import start_c, timed_process
from edgekit.measure.device.session import ProbeSession, probe_session
from edgekit.measure.shards import silent
from edgekit.specs.profile import Probe

THREADS = (1, 2, 4)
"""Numbers of threads that are tried where the device has as many cores."""
MOST_TOKENS = 1 << 16
WARM_UP_S = 30.0
PROMPT = "prompt"
DECODER = "docs/language-models.md says what a decoder is: one token a step, its cache as [state], and logits"


@dataclass(frozen=True)
class Prompt:
    """Beginning of a text, as a text for the bundle's tokenizer or as token ids, and how much is to follow."""

    count: int
    """Tokens to generate."""
    text: str | None = None
    tokens: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.text and not self.tokens:
            raise OptionError("a text needs a beginning", hint='--prompt "Once upon a time", or --prompt-tokens 1,42')
        if self.text and self.tokens:
            raise OptionError("--prompt and --prompt-tokens are two beginnings", hint="give one of them")
        if not 2 <= self.count <= MOST_TOKENS:
            raise OptionError(f"--generate {self.count} is no number of tokens", hint="--generate 64")

    @property
    def arrays(self) -> dict[str, Array]:
        """Arrays that the runner reads the prompt from."""
        if self.text:
            return {"text": np.frombuffer(self.text.encode(), np.uint8)}
        return {"tokens": np.array(self.tokens, np.int64)}


def check_inputs(tokens: Sequence[TensorSpec], has_state: bool) -> None:
    """Raise ProbeError, with a hint, unless a model takes one token a step beside its state.

    tokens: inputs that are no state, each with its batch axis.
    """
    if not has_state:
        raise ProbeError("--generate: the model is no decoder: it has no state", hint=DECODER)
    if len(tokens) != 1 or not tokens[0].dtype.startswith("int") or math.prod(tokens[0].shape) != 1:
        takes = ", ".join(map(str, tokens))
        raise ProbeError(f"--generate: the model is no decoder: it takes {takes}, not one token", hint=DECODER)


def check_room(prompt: Prompt, capacity: int | None, text_tokens: int | None = None) -> None:
    """Raise ProbeError, with a hint, if a prompt and what follows do not fit a cache.

    capacity: number of tokens that the cache holds; None if unknown. text_tokens: number of tokens of a text; None
    where its tokenizer is not at hand: the runner tells of such a text.
    """
    # The last token is not read; a text has one token at least.
    length = len(prompt.tokens) or text_tokens or 1
    if capacity is None or length + prompt.count - 1 <= capacity:
        return
    most = capacity - length + 1
    if most < 2:
        option = "--prompt" if prompt.text else "--prompt-tokens"
        message = f"{option}: {length} tokens are too many for a cache of {capacity}"
        raise ProbeError(message, hint=f"give {capacity - 1} tokens at most")
    raise ProbeError(
        f"--generate {prompt.count}: with the prompt it does not fit a cache of {capacity} tokens",
        hint=f"--generate {most}",
    )


def check_decoder(signature: Signature, tokenizer_size: int | None, prompt: Prompt) -> None:
    """Raise ProbeError or TokenizerMismatch, with a hint, unless a model of this signature can continue the prompt.

    tokenizer_size: number of token ids of the bundle's tokenizer; None if it has none.
    """
    tokens = signature.sampled
    check_inputs(tokens, bool(signature.state))
    vocabulary = signature.reported[0].shape[-1]
    if tokenizer_size is None and prompt.text:
        raise ProbeError(
            f"--prompt: the bundle has no tokenizer of '{tokens[0].name}'",
            hint=f"state one under [inputs.{tokens[0].name}], or give ids: --prompt-tokens 1,42",
        )
    if tokenizer_size is not None and tokenizer_size > vocabulary:
        raise TokenizerMismatch(
            f"the tokenizer of '{tokens[0].name}' has {tokenizer_size} tokens, the model scores {vocabulary}",
            hint="build the bundle anew with the tokenizer of the training; a model may score more tokens, not fewer",
        )
    shapes = {spec.name: spec.shape for spec in signature.inputs}
    check_room(prompt, min((shapes[p.input][p.append] for p in signature.state if p.append is not None), default=None))
    wrong = next((id for id in prompt.tokens if not 0 <= id < vocabulary), None)
    if wrong is not None:
        raise ProbeError(
            f"--prompt-tokens: {wrong} is no token: the model knows 0 to {vocabulary - 1}", hint="--prompt-tokens 1,42"
        )


def generate(
    installation: Installation,
    prompt: Prompt,
    plan: Probe,
    threads: Sequence[int] = THREADS,
    tell: Callable[[str], None] = silent,
) -> Generation:
    """Generate on the device, with each number of `threads` that it has cores for, the first in any case.

    plan: least number of tokens and seconds to time, and processes. `tell` is called with a line after each number of
    threads. Raises ProbeError if a run fails, DeviceBusy, Unreachable, StorageError.
    """
    runs: list[tuple[GenerationRun, Generated]] = []
    with probe_session(installation) as session:
        session.send(prompt.arrays, PROMPT)
        for number in threads:
            if runs and number > runs[0][1].info.cores:
                break
            runs.append(_run(session, prompt, plan, number))
            rate = runs[-1][0].token_ns
            if len(rate):
                tell(f"{number} threads: {1e9 * len(rate) / rate.sum():,.1f} tokens a second")
        emulated = session.emulated
    answer = runs[0][1]
    return Generation(
        prompt_tokens=answer.prompt_tokens,
        tokens=answer.tokens,
        text=answer.text,
        model_bytes=answer.model_bytes,
        state_bytes=answer.state_bytes,
        last_cache_bytes=answer.last_cache_bytes,
        cores=answer.info.cores,
        runtime=answer.runtime,
        machine=f"{answer.info.machine} {answer.info.cpu or ''}".strip(),
        emulated=emulated,
        runs=tuple(run for run, _ in runs),
    )


def _run(session: ProbeSession, prompt: Prompt, plan: Probe, threads: int) -> tuple[GenerationRun, Generated]:
    processes = 1 if session.emulated else plan.processes
    answers: list[Generated] = []
    firsts: list[Array] = []
    times: list[Array] = []
    for _ in range(processes):
        answer = _process(session, prompt, plan, threads, answers)
        firsts.append(session.integers("first_token_ns", answer.texts))
        times.append(session.integers("token_ns", answer.timed))
        answers.append(answer)
    if len({answer.tokens for answer in answers}) > 1:
        raise ProbeError("two processes generated different texts from the same prompt: the model is not deterministic")
    timed = tuple(timed_process(answer, answer.timed) for answer in answers)
    token_ns = np.concatenate(times)
    judged = validity(timed, token_ns, plan.min_count, threads, answers[0].info.cores)
    first = answers[0]
    run = GenerationRun(
        threads=threads,
        first_token_ns=no_latency() if session.emulated else np.concatenate(firsts),
        token_ns=no_latency() if session.emulated else token_ns,
        validity=EMULATED if session.emulated else judged,
        processes=timed,
        load_ns=first.load_ns,
        cold_first_token_ns=first.first_ns,
        peak_rss_bytes=max((one.peak_rss_bytes for one in answers if one.peak_rss_bytes), default=None),
        memory={place.tokens: place.rss_bytes for place in first.memory},
        copied_bytes_per_s=max(one.copied_bytes_per_s for one in answers),
        prompt_instructions=first.prompt_instructions,
        token_instructions=first.token_instructions,
    )
    return run, first


def _process(
    session: ProbeSession, prompt: Prompt, plan: Probe, threads: int, before: Sequence[Generated]
) -> Generated:
    seconds = 0.0 if session.emulated else plan.min_duration_s / plan.processes
    least = 1 if session.emulated else math.ceil(plan.min_count / plan.processes)
    argv: list[object] = ["--count", prompt.count, "--min-count", least, "--min-duration", seconds]
    first_c = start_c(before)
    if first_c is not None:
        argv += ["--cool", first_c, plan.cool_down_s]
    # A text may be read twice, and its prompt be as long as the cache.
    steps = 2 * (prompt.count + max(len(prompt.tokens), len(prompt.text or ""))) + least
    limit_s = session.limit(steps) + 2 * seconds + plan.cool_down_s + WARM_UP_S
    return session.ask(Generated, "generate", PROMPT, *argv, "--threads", threads, timeout=limit_s)
