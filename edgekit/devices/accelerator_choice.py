"""Choice of the accelerator on a device: its runner measures CPU, GPU and NPU, and keeps the quickest."""

from __future__ import annotations

from dataclasses import replace

from edgekit.bundle.manifest import Manifest
from edgekit.devices.flash import Installation
from edgekit.devices.protocol import AcceleratorChosen
from edgekit.devices.runner_client import QUICK_S
from edgekit.devices.swiftshader import with_driver
from edgekit.runner.model.accelerator import CPU, Accelerator
from edgekit.specs.accelerator import AUTO, AcceleratorChoice

LIMIT_S = 120.0
"""Seconds that one accelerator may take to load, compile shaders or graphs, and answer the golden samples."""
CPU_FACTOR = 10
"""The CPU may take so many times as long: an accelerator that hangs is the risk, not the CPU."""
MAX_WHY = 300


def choose_accelerator(
    installation: Installation, manifest: Manifest, choice: AcceleratorChoice = AUTO, threads: int = 1
) -> AcceleratorChosen | None:
    """Have the device choose what the installed bundle runs on; None if there is nothing to choose from.

    A choice that the device has made before is not measured again, until its system, a driver or the runtime changes.
    choice: `auto` measures all that the bundle can use, else the one that is named and the CPU. Raises
    AcceleratorMissing if nothing runs such a model there; for an accelerator that is named, the error of its library,
    driver or answers; DeviceBusy, CommandFailed.
    """
    told, offer = with_driver(choice.request(manifest.format), installation.transport), manifest.acceleration
    if told is None and (offer is None or installation.transport.kind == "emulated"):
        return None  # an emulated board has no accelerator but stand-ins, which are never chosen by their time
    kinds = offer.kinds if offer else ()
    options = [f"--kind={kind}" for kind in kinds]
    if offer:
        limits = {"--share": offer.share, "--slower": offer.slower}
        options += [f"{option}={value}" for option, value in limits.items() if value is not None]
    if told:
        options += [f"--told={told.kind}", *(f"--option={name}={value}" for name, value in told.options)]
    argv = (installation.root, installation.digest, *options, f"--threads={threads}", f"--limit={LIMIT_S:g}")
    timeout = LIMIT_S * (2 * CPU_FACTOR + max(1, len(kinds))) + QUICK_S
    return installation.runner.ask(AcceleratorChosen, "slots", "accelerator", *argv, timeout=timeout)


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
