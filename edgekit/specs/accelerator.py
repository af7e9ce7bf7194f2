"""Accelerators as users name them, and their kinds by the format of the model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from edgekit.errors import AcceleratorMissing, OptionError, suggest
from edgekit.ir.artifact import Format
from edgekit.runner.model.accelerator import CPU, LITERT_GPU, QNN_HTP, WEBGPU, Accelerator
from edgekit.runner.model.hexagon_socs import SOCS
from edgekit.specs.accelerator_kind import AcceleratorKind, ProviderSpec
from edgekit.specs.catalog import Catalog

AcceleratorName = Literal["auto", "cpu", "gpu", "npu"]
"""`auto` is what the runtime, or the bundle's engine plan, takes by itself."""
NAMES: tuple[AcceleratorName, ...] = get_args(AcceleratorName)
KIND: Mapping[Format, Mapping[AcceleratorName, str]] = {
    "tflite": {"gpu": LITERT_GPU},
    "onnx": {"gpu": WEBGPU, "npu": QNN_HTP},
    "pte": {},
}
"""Kind that a name stands for, by format; `cpu` stands for itself."""
SWIFTSHADER = "swiftshader"
SECONDS, FOLDER = "SECONDS", "FOLDER"
"""Values that stand for any number of seconds, and for any folder on the device."""
BACKENDS: Mapping[Format, str] = {"pte": "executorch", "onnx": "onnx", "tflite": "tflite"}
"""Backend that makes the files of a format."""
OPTIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    LITERT_GPU: {
        "enforce_f32": ("false", "true"),
        "cpu": ("true", "false"),
        "vulkan": ("system", SWIFTSHADER),
        "time_limit": (SECONDS,),
    },
    QNN_HTP: {
        "soc": tuple(SOCS),
        "cpu": ("true", "false"),
        "context": ("true", "false"),
        "time_limit": (SECONDS,),
    },
    WEBGPU: {"cpu": ("true", "false"), "vulkan": ("system", SWIFTSHADER), "time_limit": (SECONDS,)},
}
"""Options of a kind, with their values, the default first."""


OWN = {"cpu": ("true", "false"), "packages": (FOLDER,), "time_limit": (SECONDS,)}
"""Options of every kind that runs by an execution provider of its file."""


@dataclass(frozen=True)
class AcceleratorChoice:
    """Accelerator that a user names, with options `NAME=VALUE` for its kind.

    The option `kind=NAME` names one of the catalog in place of edgekit's own: it runs by its execution provider.
    """

    name: AcceleratorName = "auto"
    options: tuple[str, ...] = ()
    stand_ins: bool = False
    """True if an emulated board, which has no accelerator, shall try programs in their place: `auto` that is typed."""

    project: Path | None = field(default=None, compare=False)
    """Folder of the project, whose `accelerators/` come first; None for the current folder."""

    @classmethod
    def typed(
        cls, name: AcceleratorName | None, options: Sequence[str] | None, project: Path | None = None
    ) -> AcceleratorChoice:
        """Choice of a command line; None for what was not typed. Raises OptionError as the class does."""
        return cls(name or "auto", tuple(options or ()), stand_ins=name == "auto", project=project)

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise OptionError(f"no accelerator is named '{self.name}'", hint=suggest(self.name, NAMES, "|".join(NAMES)))
        if self.options and self.name in ("auto", "cpu"):
            raise OptionError("--accelerator-option goes with --accelerator gpu or npu", hint="--accelerator gpu")

    def request(self, format: Format) -> Accelerator | None:
        """Request for a run of a model of `format`; None for `auto`.

        Raises AcceleratorMissing if nothing runs such a model there, with what was tried; OptionError for an option or
        value that the kind does not know, UnknownName for a kind that no file states.
        """
        if self.name == "auto":
            return None
        named = next((text.partition("=")[2] for text in self.options if text.startswith("kind=")), None)
        kind = CPU if self.name == "cpu" else KIND[format].get(self.name)
        if named is not None and named != kind:
            return self._by_provider(named, format)
        if kind is None:
            formats = " and ".join(f".{each}" for each, kinds in KIND.items() if self.name in kinds)
            raise AcceleratorMissing(
                f"no runtime of edgekit runs .{format} on '{self.name}', which runs {formats or 'no format'}"
                f"{self._attempts(format)}",
                hint=f"--accelerator {'|'.join(['auto', 'cpu', *KIND[format]])}",
            )
        options = [text for text in self.options if not text.startswith("kind=")]
        return Accelerator(kind, tuple(_checked(text, kind, OPTIONS.get(kind, {})) for text in options))

    def _by_provider(self, kind: str, format: Format) -> Accelerator:
        """Request for a kind of the catalog, with its provider's options where the user names no others."""
        facts = Catalog.default(self.project).accelerator(kind)
        if facts.unit != self.name:
            raise OptionError(f"'{kind}' runs on the {facts.unit}", hint=f"--accelerator {facts.unit}")
        if facts.provider is None or format != "onnx":
            raise AcceleratorMissing(
                f"'{kind}' does not run .{format} by edgekit{_runs(facts)}{_refusals([facts], BACKENDS[format])}",
                hint=f"--accelerator {'|'.join(['auto', 'cpu', *KIND[format]])}",
            )
        return provider_request(facts.id, facts.provider, self.options)

    def _attempts(self, format: Format) -> str:
        kinds = [facts for facts in Catalog.default(self.project).accelerators() if facts.unit == self.name]
        return _refusals(kinds, BACKENDS[format])


AUTO = AcceleratorChoice()


def provider_request(kind: str, provider: ProviderSpec, options: tuple[str, ...]) -> Accelerator:
    """Request to run a model by an execution provider. options: as users write them. Raises OptionError."""
    known = {**OWN, **provider.options}
    chosen = dict(_checked(text, kind, known) for text in options if not text.startswith("kind="))
    stated = {name: values[0] for name, values in provider.options.items()}
    own = {f"option.{name}": chosen.get(name, value) for name, value in stated.items()}
    general = {name: value for name, value in chosen.items() if name in OWN}
    facts = {"provider": provider.name, "package": provider.package}
    facts |= {"module": provider.module} if provider.module else {}
    facts |= {"on_cpu": ",".join(provider.cpu)} if provider.cpu else {}
    return Accelerator(kind, tuple({**facts, **general, **own}.items()))


def _refusals(kinds: list[AcceleratorKind], backend: str) -> str:
    """Reasons why these kinds do not run the backend's files, as the end of a sentence; empty if nothing was tried."""
    trials = [(facts, each) for facts in kinds for each in facts.trial if each.backend == backend]
    return "".join(f"; {facts.title}: {trial.because}" for facts, trial in trials if trial.outcome != "runs")


def _runs(facts: AcceleratorKind) -> str:
    """Formats that the kind does run, as the end of a sentence."""
    backends = {trial.backend for trial in facts.trial if trial.outcome != "refused"}
    formats = ["." + format for format, backend in BACKENDS.items() if backend in backends]
    formats = [".onnx"] if facts.provider else formats
    return f", it runs {' and '.join(formats)}" if formats else ""


def _checked(text: str, kind: str, known: Mapping[str, tuple[str, ...]]) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if name not in known:
        raise OptionError(f"'{kind}' has no option '{name}'", hint=suggest(name, list(known), _listed(known)))
    free = (SECONDS in known[name] and re.fullmatch(r"\d{1,5}(\.\d+)?", value)) or (FOLDER in known[name] and value)
    if value not in known[name] and not free:
        raise OptionError(f"'{name}' of '{kind}' is not '{value}'", hint=f"{name}={'|'.join(known[name])}")
    return name, value


def _listed(known: Mapping[str, tuple[str, ...]]) -> str:
    return ", ".join(f"{name}={'|'.join(values)}" for name, values in known.items()) or "it has none"
