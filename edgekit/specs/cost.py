"""Prices of answers, as a profile states them under `[cost]`, and the defaults with their sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from pydantic import Field, model_validator

from edgekit.specs.spec import Real, Spec


@dataclass(frozen=True)
class Board:
    """List price and typical power of a board, and where they are from."""

    price: float
    """US dollars."""
    watts: float
    source: str


_PI_POWER = "at 5.1 V: Raspberry Pi documentation, Power supply, typical bare-board active current consumption"

BOARDS: Mapping[str, Board] = MappingProxyType(
    {
        "raspberry-pi-zero-2w": Board(15.0, 1.8, f"list price at launch, 28 October 2021; 350 mA {_PI_POWER}"),
        "raspberry-pi-4": Board(55.0, 3.1, f"list price of 4 GB at launch, 24 June 2019; 600 mA {_PI_POWER}"),
        "raspberry-pi-5": Board(60.0, 4.1, f"list price of 4 GB at launch, 28 September 2023; 800 mA {_PI_POWER}"),
        "jetson-orin-nano": Board(
            249.0, 15.0, "developer kit, NVIDIA's announcement of 17 December 2024; its power mode of 15 W"
        ),
        "jetson-agx-orin": Board(
            1999.0, 30.0, "developer kit, NVIDIA's announcement of 22 March 2022; its power mode of 30 W"
        ),
    }
)
"""Boards by target. A phone belongs to its user, and a host may be any computer: neither has a default price."""

_EC2 = "Amazon EC2 on-demand prices, Linux, us-east-1, June 2026"
SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "years": "computers are written off in five years: IRS Publication 946 (2024), table B-1, class 00.12",
        "utilisation": "an assumption of edgekit's, without a source: state your own",
        "electricity_per_kwh": "US homes, EIA Electricity Monthly Update, April 2024, residential: 16.88 cents",
        "instance_price_per_hour": f"m7g.large, {_EC2}",
        "instance_utilisation": "the middle of 10 to 50 %: Barroso and Hölzle, The Case for Energy-Proportional "
        "Computing, IEEE Computer, December 2007",
        "training_price_per_hour": f"g5.xlarge, {_EC2}",
    }
)
"""Source of each default of `Cost`."""

_IN_DOLLARS = ("device_price", "electricity_per_kwh", "instance_price_per_hour", "training_price_per_hour")


class Cost(Spec):
    """Prices and utilisation. Every field can be stated; what is not is measured, or else a default with a source."""

    currency: str = Field(default="USD", pattern=r"^[A-Z]{3}$")
    """Currency of every price. The defaults are US dollars: another currency must state them all."""
    device_price: Real | None = Field(default=None, ge=0)
    """Price of one device. If not stated: `BOARDS`."""
    watts: Real | None = Field(default=None, ge=0)
    """Mean power of the device over day and night. If not stated: from the measured energy, else `BOARDS`."""
    years: Real = Field(default=5.0, gt=0)
    """Years after which the device is written off."""
    utilisation: Real = Field(default=0.1, gt=0, le=1)
    """Share of its time in which the device answers."""
    electricity_per_kwh: Real = Field(default=0.1688, ge=0)
    instance_price_per_hour: Real = Field(default=0.0816, ge=0)
    """Price of the instance that serves the model in the cloud."""
    instance_utilisation: Real = Field(default=0.3, gt=0, le=1)
    """Share of the instance's throughput that requests use."""
    throughput_per_s: Real | None = Field(default=None, gt=0)
    """Peak answers per second of that instance. If not stated: as measured of the serving reference."""
    training_price_per_hour: Real = Field(default=1.006, ge=0)
    """Price of the machine that prunes the model and fine-tunes it."""

    @model_validator(mode="after")
    def _one_currency(self) -> Cost:
        missing = [name for name in _IN_DOLLARS if name not in self.model_fields_set]
        if self.currency != "USD" and missing:
            raise ValueError(f"the defaults are US dollars: state '{missing[0]}' in {self.currency} too")
        return self
