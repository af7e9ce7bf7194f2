"""Construct: what stands in a network's code that a program cannot hold, its sign and its rewrite."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from edgekit.frontend.constructs.syntax import Syntax


@dataclass(frozen=True)
class CaptureFailure:
    """Evidence of one failure: an error while the network was traced, or an operator of the program."""

    syntax: Syntax
    """Syntax of the innermost line of the network's own code."""
    message: str = ""
    """Text of the error; empty if there was none."""
    kinds: frozenset[str] = frozenset()
    """Names of the error's class and of its bases."""
    modules: frozenset[str] = frozenset()
    """Names of the Python modules that the error passed through, such as `torch.distributions.normal`."""
    operator: str = ""
    """Operator of the program that is refused, such as `aten.nonzero.default`; empty if there is no program."""

    @property
    def value_needed(self) -> bool:
        """True if Python asked for the value of a tensor, which is known on the device only."""
        symbolic = any(word in self.message for word in ("SymInt", "SymFloat", "SymBool"))
        return bool(self.kinds & VALUE_NEEDED) or ("TypeError" in self.kinds and symbolic)


VALUE_NEEDED = frozenset(
    {"GuardOnDataDependentSymNode", "DataDependentOutputException", "PendingUnbackedSymbolNotFound"}
)
"""Classes of torch's errors for a tensor's value that is asked for while the network is traced."""


def no_rewrite(_: CaptureFailure) -> str:
    """Empty text: no rewrite was derived from the user's own line."""
    return ""


@dataclass(frozen=True)
class Construct:
    """One kind of code that a program cannot hold.

    To add one: write it into the module of its group, in front of those that are more general; add a failing network
    and its rewrite to `tests/frontend/capture_cases`, and its row to docs/capture.md.
    """

    key: str
    """Short name, unique, with hyphens."""
    title: str
    """Noun phrase with its article, such as "an 'if' on the value of a tensor"."""
    example: str
    """Line of code that has it."""
    rewrite: str
    """Advice that begins with a verb and holds code that can be typed."""
    recognize: Callable[[CaptureFailure], bool] = field(repr=False)
    """Function that tells if a failure comes from this construct."""
    tailored: Callable[[CaptureFailure], str] = field(default=no_rewrite, repr=False)
    """Function that writes the user's own line anew; empty text if it cannot."""

    def hint(self, failure: CaptureFailure) -> str:
        """Advice for this failure: the user's own line anew where that could be derived, and the general rewrite."""
        own = self.tailored(failure)
        return f"write {own}; in general: {self.rewrite}" if own else self.rewrite
