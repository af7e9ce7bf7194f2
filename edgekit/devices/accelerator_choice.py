"""Choice of the accelerator on a device: its runner measures CPU, GPU and NPU, and keeps the quickest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgekit.bundle.manifest import Manifest
from edgekit.devices.flash import Installation
from edgekit.devices.litert_accelerator import NEWEST, with_library
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
    told, offer = choice.request(manifest.format), manifest.acceleration
    emulated = installation.transport.kind == "emulated"
    if told is None and (offer is None or (emulated and not choice.stand_ins)):
        return None
    kinds = offer.kinds if offer else ()
    stand_ins = STAND_INS if emulated else {}
    requests = [told] if told else [Accelerator(kind, stand_ins.get(kind, ())) for kind in kinds]
    ready = [equipped(request, installation.runner, manifest.versions) for request in requests]
    options = [f"--kind={kind}" for kind in kinds]
    if offer:
        limits = {"--share": offer.share, "--slower": offer.slower, "--prefer": offer.prefer}
        options += [f"{option}={value}" for option, value in limits.items() if value is not None]
    options += [f"--told={told.kind}"] if told else []
    # All kinds of one format are given them: it has one.
    options += [f"--option={name}={value}" for request in ready if request for name, value in request.options]
    limit_s = EMULATED_LIMIT_S if emulated else LIMIT_S
    argv = (installation.root, installation.digest, *options, f"--threads={threads}", f"--limit={limit_s:g}")
    timeout = limit_s * (2 * CPU_FACTOR + max(1, len(kinds))) + QUICK_S
    return installation.runner.ask(AcceleratorChosen, "slots", "accelerator", *argv, timeout=timeout)


def equipped(
    accelerator: Accelerator | None, runner: Runner, versions: Mapping[str, str] = NEWEST
) -> Accelerator | None:
    """Put the library and the driver that a request needs on the device, and name their folders in the request.

    versions: those of the bundle, by distribution. Raises ToolsMissing, PackError or DriverMissing if one cannot be
    had.
    """
    return with_library(with_driver(accelerator, runner.transport), runner, versions)


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
