"""Failures of torch.export in words: the module, the line, the construct that stands there, and its rewrite."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from edgekit.errors import CaptureError
from edgekit.frontend.constructs.catalog import construct_of
from edgekit.frontend.constructs.evidence import CaptureEvidence, evidence_of, forward_evidence
from edgekit.frontend.constructs.interfaces import OUTPUT
from edgekit.specs.factory import in_a_line

UNKNOWN = "write that line with torch's functions on tensors; docs/capture.md lists what cannot be captured"


def capture_error(error: BaseException, network: nn.Module, root: Path) -> CaptureError:
    """Error for a network that torch.export could not trace. root: folder of the project."""
    evidence = evidence_of(error, network, root)
    construct = construct_of(evidence.failure)
    if construct is None:
        return CaptureError(f"{evidence.place} could not be traced: {in_a_line(error)}", hint=UNKNOWN)
    return CaptureError(sentence(evidence, construct.title), hint=construct.hint(evidence.failure))


def sentence(evidence: CaptureEvidence, title: str) -> str:
    """Sentence that names the place, the construct and the line."""
    return f"{evidence.place} has {title}, which a program cannot hold{evidence.quotation}"


def output_error(name: str, leaf: object, network: nn.Module, root: Path) -> CaptureError:
    """Error for an output that is no tensor. name: name or number of the output."""
    evidence = forward_evidence(network, root, "output")
    return CaptureError(
        f"output '{name}' is {type(leaf).__name__}, not a tensor: {evidence.place}{evidence.quotation}",
        hint=OUTPUT.hint(evidence.failure),
    )
