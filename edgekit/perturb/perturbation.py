"""Protocol of perturbations: what may happen to a sample between the training set and the device in the field."""

from __future__ import annotations

from typing import Literal, Protocol

from edgekit.perturb.draws import Draws
from edgekit.perturb.input_domain import InputDomain, Kind
from edgekit.samples import Samples

Family = Literal["natural", "systematic", "shift"]
"""Family: `natural` is weather, noise and bad recordings; `systematic` is a device whose decoder, kernel or colours are
not those of the training; `shift` is the same scene a pixel or a frame on, whose answer should stay."""
FAMILIES: tuple[Family, ...] = ("natural", "systematic", "shift")


class Perturbation(Protocol):
    """One way in which samples are worse, or other, than those that a network was trained on.

    To write one:

    1. Make a frozen dataclass with the attributes below, and register it (`registry.PERTURBATIONS`).
    2. In `unfit`, say for which inputs of its kind it means nothing.
    3. In `apply`, return samples of the same number, order, shapes and dtypes; change the input of `domain` alone, and
       what belongs to it. Draw random numbers from `draws` only: the same bytes come out on every machine.
    4. Raise `version` when a parameter, or the order of draws, changes: reports name it.

    ```python
    @dataclass(frozen=True)
    class Gain:
        # A microphone that stands further away.
        name: str = "gain"
        family: Family = "natural"
        kind: Kind = "recordings"
        severities: tuple[int, ...] = (1, 2, 3)
        version: int = 1

        @property
        def parameters(self) -> str:
            return "dB -6 -12 -18"

        def unfit(self, samples: Samples, domain: InputDomain) -> str | None:
            return None

        def apply(self, samples: Samples, domain: InputDomain, severity: int, draws: Draws) -> Samples:
            wave = samples.inputs[domain.name]
            quieter = (wave * (0.5**severity)).astype(wave.dtype)
            return replace(samples, inputs={**samples.inputs, domain.name: quieter})
    ```
    """

    @property
    def name(self) -> str:
        """Name in reports, such as `gaussian noise`: unique among all perturbations."""
        ...

    @property
    def family(self) -> Family: ...

    @property
    def kind(self) -> Kind:
        """Kind of the inputs that it is for."""
        ...

    @property
    def severities(self) -> tuple[int, ...]:
        """Severities, from 1, the mildest; (1,) where there are no degrees."""
        ...

    @property
    def version(self) -> int:
        """Version of its parameters and of the order of its draws."""
        ...

    @property
    def parameters(self) -> str:
        """Parameters of all severities as one line of text, which the digest of a report covers."""
        ...

    def unfit(self, samples: Samples, domain: InputDomain) -> str | None:
        """Reason why it cannot be applied to these samples of the input, a clause; None where it can."""
        ...

    def apply(self, samples: Samples, domain: InputDomain, severity: int, draws: Draws) -> Samples:
        """Perturb the input of `domain` in all N samples; `draws` are of these samples, in order.

        Called with a severity of `severities`, and only where `unfit` gives None.
        """
        ...
