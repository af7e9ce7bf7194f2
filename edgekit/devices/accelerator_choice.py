"""Choice of the accelerator on a device: its runner measures CPU, GPU and NPU, and keeps the quickest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from edgekit.bundle.manifest import Manifest
from edgekit.devices.flash import Installation
from edgekit.devices.litert_accelerator import with_library
from edgekit.devices.protocol import AcceleratorChosen
from edgekit.devices.runner_client import QUICK_S, Runner
from edgekit.devices.swiftshader import with_driver
from edgekit.runner.model.accelerator import CPU, LITERT_GPU, Accelerator
from edgekit.specs.accelerator import AUTO, SWIFTSHADER, AcceleratorChoice

LIMIT_S, EMULATED_LIMIT_S = 120.0, 600.0
"""Seconds that one accelerator may take to load, compile shaders or graphs, and answer the golden samples."""
STAND_INS: Mapping[str, tuple[tuple[str, str], ...]] = {LITERT_GPU: (("vulkan", SWIFTSHADER), ("time_limit", "250"))}
"""Options by which an emulated board runs a program in place of an accelerator, by kind; others find none there."""
CPU_FACTOR = 10
"""The CPU may take so many times as long: an accelerator that hangs is the risk, not the CPU."""
MAX_WHY = 300


def choose_accelerator(
    installation: Installation, manifest: Manifest, choice: AcceleratorChoice = AUTO, threads: int = 1
) -> AcceleratorChosen | None:
    """Have the device choose what the installed bundle runs on; None if there is nothing to choose from.

    A choice that the device has made before is not measured again, until its system, a driver or the runtime changes.
    choice: `auto` measures all that the bundle can use, else the one that is named and the CPU. An emulated board has
    no accelerator: it measures stand-ins if the choice asks for them, and keeps its CPU, as their time says nothing.
    Raises AcceleratorMissing if nothing runs such a model there; for an accelerator that is named, the error of its
    library, driver or answers; ToolsMissing or PackError if driver or library cannot be fetched; DeviceBusy,
    CommandFailed.
    """
    told, offer = equipped(choice.request(manifest.format), installation.runner), manifest.acceleration
    emulated = installation.transport.kind == "emulated"
    if told is None and (offer is None or (emulated and not choice.stand_ins)):
        return None
    kinds = offer.kinds if offer else ()
    needed = told.options if told else _needed(kinds, emulated, installation.runner)
    options = [f"--kind={kind}" for kind in kinds]
    if offer:
        limits = {"--share": offer.share, "--slower": offer.slower, "--prefer": offer.prefer}
        options += [f"{option}={value}" for option, value in limits.items() if value is not None]
    options += [f"--told={told.kind}"] if told else []
    options += [f"--option={name}={value}" for name, value in needed]
    limit_s = EMULATED_LIMIT_S if emulated else LIMIT_S
    argv = (installation.root, installation.digest, *options, f"--threads={threads}", f"--limit={limit_s:g}")
    timeout = limit_s * (2 * CPU_FACTOR + max(1, len(kinds))) + QUICK_S
    return installation.runner.ask(AcceleratorChosen, "slots", "accelerator", *argv, timeout=timeout)


def equipped(accelerator: Accelerator | None, runner: Runner) -> Accelerator | None:
    """Put the library and the driver that a request needs on the device, and name their folders in the request.

    Raises ToolsMissing, PackError or DriverMissing if they cannot be had.
    """
    return with_library(with_driver(accelerator, runner.transport), runner)


def _needed(kinds: Sequence[str], emulated: bool, runner: Runner) -> tuple[tuple[str, str], ...]:
    """Options for the kinds of one format, of which there is one, with what they need put on the device."""
    requests = (equipped(Accelerator(kind, STAND_INS.get(kind, ()) if emulated else ()), runner) for kind in kinds)
    return tuple(pair for request in requests if request for pair in request.options)


def keep_cpu(installation: Installation, why: str) -> AcceleratorChosen:
    """Keep the CPU for the installed bundle, as a gate refused the accelerator. Raises DeviceBusy, CommandFailed."""
    argv = (installation.root, installation.digest, f"--keep-cpu={why[:MAX_WHY]}", "--limit=1")
    return installation.runner.ask(AcceleratorChosen, "slots", "accelerator", *argv, timeout=QUICK_S)


def on_choice(installation: Installation, chosen: AcceleratorChosen | None) -> Installation:
    """Installation that is measured on what was chosen."""
    if chosen is None:
        return installation
    pairs = (option.partition("=") for option in chosen.options)
    options = tuple((name, value) for name, _, value in pairs)
    accelerator = Accelerator(CPU) if chosen.kind == CPU else Accelerator(chosen.kind, options)
    return replace(installation, accelerator=accelerator)
