"""Accelerators as users name them, and their kinds by the format of the model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from edgekit.errors import AcceleratorMissing, OptionError, suggest
from edgekit.ir.artifact import Format
from edgekit.runner.model.accelerator import CPU, LITERT_GPU, QNN_HTP, Accelerator
from edgekit.runner.model.hexagon_socs import SOCS

AcceleratorName = Literal["auto", "cpu", "gpu", "npu"]
"""`auto` is what the runtime, or the bundle's engine plan, takes by itself."""
NAMES: tuple[AcceleratorName, ...] = get_args(AcceleratorName)
KIND: Mapping[Format, Mapping[AcceleratorName, str]] = {
    "tflite": {"gpu": LITERT_GPU},
    "onnx": {"npu": QNN_HTP},
    "pte": {},
}
"""Kind that a name stands for, by format; `cpu` stands for itself."""
SWIFTSHADER = "swiftshader"
SECONDS = "SECONDS"
"""Value that stands for any number of seconds."""
OPTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    LITERT_GPU: {
        "enforce_f32": ("false", "true"),
        "cpu": ("true", "false"),
        "vulkan": ("system", SWIFTSHADER),
        "time_limit": (SECONDS,),
    },
    QNN_HTP: {"soc": tuple(SOCS), "cpu": ("true", "false"), "context": ("true", "false")},
}
"""Options of a kind, with their values, the default first."""


@dataclass(frozen=True)
class AcceleratorChoice:
    """Accelerator that a user names, with options `NAME=VALUE` for its kind."""

    name: AcceleratorName = "auto"
    options: tuple[str, ...] = ()
    stand_ins: bool = False
    """True if an emulated board, which has no accelerator, shall try programs in their place: `auto` that is typed."""

    @classmethod
    def typed(cls, name: AcceleratorName | None, options: Sequence[str] | None) -> AcceleratorChoice:
        """Choice of a command line; None for what was not typed. Raises OptionError as the class does."""
        return cls(name or "auto", tuple(options or ()), stand_ins=name == "auto")

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise OptionError(f"no accelerator is named '{self.name}'", hint=suggest(self.name, NAMES, "|".join(NAMES)))
        if self.options and self.name in ("auto", "cpu"):
            raise OptionError("--accelerator-option goes with --accelerator gpu or npu", hint="--accelerator gpu")

    def request(self, format: Format) -> Accelerator | None:
        """Request for a run of a model of `format`; None for `auto`.

        Raises AcceleratorMissing if nothing runs such a model there, OptionError for an option or value that the kind
        does not know.
        """
        if self.name == "auto":
            return None
        kind = CPU if self.name == "cpu" else KIND[format].get(self.name)
        if kind is None:
            formats = " and ".join(f".{each}" for each, kinds in KIND.items() if self.name in kinds)
            raise AcceleratorMissing(
                f"no runtime of edgekit runs .{format} on '{self.name}', which runs {formats or 'no format'}",
                hint=f"--accelerator {'|'.join(['auto', 'cpu', *KIND[format]])}",
            )
        return Accelerator(kind, tuple(_checked(text, kind) for text in self.options))


AUTO = AcceleratorChoice()


def _checked(text: str, kind: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    known = OPTIONS.get(kind, {})
    if name not in known:
        raise OptionError(f"'{kind}' has no option '{name}'", hint=suggest(name, list(known), _listed(known)))
    seconds = SECONDS in known[name] and re.fullmatch(r"\d{1,5}(\.\d+)?", value)
    if value not in known[name] and not seconds:
        raise OptionError(f"'{name}' of '{kind}' is not '{value}'", hint=f"{name}={'|'.join(known[name])}")
    return name, value


def _listed(known: Mapping[str, tuple[str, ...]]) -> str:
    return ", ".join(f"{name}={'|'.join(values)}" for name, values in known.items()) or "it has none"
