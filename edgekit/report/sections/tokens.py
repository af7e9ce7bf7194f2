"""Section on a language model: perplexities, divergence and choice of the next token, in pairs."""

from __future__ import annotations

from collections.abc import Iterable

from edgekit.ir.plural import counted
from edgekit.parity.gate_texts import percent
from edgekit.parity.token_parity import TokenEstimate, TokenParity
from edgekit.report.sections.section import Row, Section, section


def tokens(parity: TokenParity | None) -> Section | None:
    """Section on the parity of language models; None for another task."""
    if parity is None:
        return None
    sizes = f"{counted(parity.tokens, 'token')} of {counted(parity.texts, 'text')}"
    how = "a paired bootstrap over texts" if parity.interval_over == "texts" else "the standard error over tokens"
    notes = [f"{sizes}; 95 % intervals by {how}."]
    if parity.kl_p999 is None:
        notes.append("A 99.9th percentile needs 1,000 tokens.")
    return section("Token by token", ("", "measured"), _rows(parity), notes, first=(parity.sentence,))


def _rows(parity: TokenParity) -> Iterable[Row]:
    perplexities = (
        ("perplexity of the reference", parity.reference_perplexity),
        ("perplexity of the candidate", parity.candidate_perplexity),
        ("ratio of perplexities", parity.perplexity_ratio),
    )
    yield from ((name, _number(figure)) for name, figure in perplexities if figure)
    yield ("KL divergence, mean", f"{_number(parity.kl_mean)} nats")
    yield ("KL divergence, median", f"{parity.kl_median:.4g} nats")
    yield ("KL divergence, 99 %", f"{parity.kl_p99:.4g} nats")
    if parity.kl_p999 is not None:
        yield ("KL divergence, 99.9 %", f"{parity.kl_p999:.4g} nats")
    yield ("KL divergence, largest", f"{parity.kl_max:.4g} nats")
    yield ("same top token", _percent(parity.same_top))
    if parity.delta_p_mean is not None and parity.delta_p_rms is not None:
        yield ("mean Δp of the next token", _percent(parity.delta_p_mean))
        yield ("root mean square Δp", percent(parity.delta_p_rms))


def _number(figure: TokenEstimate) -> str:
    return f"{figure.value:.5g} ({figure.low:.5g} to {figure.high:.5g})"


def _percent(figure: TokenEstimate) -> str:
    return f"{percent(figure.value)} ({percent(figure.low)} to {percent(figure.high)})"
