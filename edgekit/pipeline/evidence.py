"""Evidence of a verdict: measurements of the same samples through both endpoints, and what more may be asked."""

from __future__ import annotations

from dataclasses import dataclass

from edgekit.devices.protocol import AcceleratorChosen
from edgekit.ir.measurement import Measurement
from edgekit.parity.early_stop import EarlyStop
from edgekit.parity.gate_inputs import FloatRecord
from edgekit.parity.generation_record import GenerationRecord
from edgekit.pipeline.both_endpoints import BothEndpoints
from edgekit.report.earlier_run import Earlier
from edgekit.samples import Samples, Sampling


@dataclass(frozen=True)
class Evidence:
    """Measurements that a verdict is made of: the same samples through both endpoints."""

    reference: Measurement
    candidate: Measurement
    sampling: Sampling | None = None
    host: Measurement | None = None
    """Measurement of the same bundle on this machine, where the candidate is of another."""
    earlier: Earlier | None = None
    """Earlier run to compare instructions with."""
    float_file: FloatRecord | None = None
    """The float file on the same device."""
    remarks: tuple[str, ...] = ()
    """Remarks of the flash, each a sentence."""
    generation: GenerationRecord | None = None
    """Text that a language model wrote on the device, with its times."""
    samples: Samples | None = None
    """Samples that both measured."""
    accelerator: AcceleratorChosen | None = None
    """Accelerator that the device chose; None where there was nothing to choose from."""
    both: BothEndpoints | None = None
    """Both endpoints, where other samples may still be asked of them."""
    early_stop: EarlyStop | None = None
    """Looks after which the device was asked no more samples; None where all were asked at once."""
