"""deploy(): put a bundle that was built before on a device, and choose the runtime that runs it there."""

from __future__ import annotations

from dataclasses import replace

from edgekit.bundle.archive import Bundle
from edgekit.bundle.manifest import Manifest
from edgekit.devices.accelerator_choice import choose_accelerator, equipped, on_choice
from edgekit.devices.device import connect
from edgekit.devices.flash import Installation, commit, flash, manifest_of, ready, serving
from edgekit.devices.packs.recipe import recipe_for
from edgekit.devices.transport import Transport
from edgekit.errors import UnknownName
from edgekit.ir.artifact import Format
from edgekit.pipeline.accelerator_trial import accelerator_remark
from edgekit.pipeline.commit_or_rollback import take_back
from edgekit.specs.accelerator import AUTO, AcceleratorChoice
from edgekit.specs.catalog import Catalog


def deploy(
    bundle: Bundle, device: str, runtime: str | None, keep_trial: bool, accelerator: AcceleratorChoice = AUTO
) -> Installation:
    """Flash a bundle that was built before, and commit it once its self-test on the device has passed.

    device: a name or URL. runtime: `auto`, `system` or a distribution's name; None for the target's default.
    keep_trial: leave it on trial, not committed. accelerator: what it is to run on; `auto` has the device measure what
    it has, unless it did so before; where one that is named fails, the bundle is taken back. Raises what `connect` and
    `devices.flash.flash` raise, UnknownName or OptionError for a runtime that does not exist or does not run the
    bundle's format.
    """
    check_runtime(runtime, bundle.manifest.format)
    with connect(device) as transport:
        chosen = runtime_for(bundle.manifest, transport, runtime)
        told = accelerator.request(bundle.manifest.format) is not None
        # What a person names may fail there: the bundle is served once it has run on that.
        installation = flash(bundle, transport, chosen, serve=not keep_trial and not told)
        try:
            choice = choose_accelerator(installation, bundle.manifest, accelerator)
        except BaseException as error:
            take_back(installation, error)
            raise
        if told and not keep_trial and not installation.committed:
            commit(installation)
            installation = replace(installation, committed=True)
        return replace(on_choice(installation, choice), choice=accelerator_remark(choice))


def served(device: Transport, runtime: str | None) -> Installation:
    """Installation of the model that the device serves, ready to be measured; `runtime` as `deploy` takes it.

    Raises DeviceError if nothing is served.
    """
    installation = serving(device)
    manifest = manifest_of(installation)
    check_runtime(runtime, manifest.format)
    return ready(installation, manifest, runtime_for(manifest, device, runtime))


def served_on(installation: Installation, manifest: Manifest, accelerator: AcceleratorChoice) -> Installation:
    """Installation of what a device serves, on the accelerator that is named, or else on the one that it chose.

    A choice that has expired is made again. Raises what `devices.accelerator_choice.choose_accelerator` does.
    """
    request = accelerator.request(manifest.format)
    if request:
        return replace(installation, accelerator=equipped(request, installation.runner, manifest.versions))
    choice = choose_accelerator(installation, manifest, accelerator)
    return replace(on_choice(installation, choice), choice=accelerator_remark(choice))


def runtime_for(manifest: Manifest, device: Transport, option: str | None) -> str:
    """Name of the runtime for the bundle: the `option` of the user, else the default of the bundle's target."""
    return choose_runtime(device, _target_default(manifest), option)


def choose_runtime(device: Transport, default: str, option: str | None) -> str:
    """Name of the runtime for `device`: the `option` of the user; else `auto` on this machine, `default` elsewhere."""
    return option or ("auto" if device.kind == "local" else default)


def check_runtime(option: str | None, format: Format) -> None:
    """Raise UnknownName if no runtime has the name `option`, OptionError if that runtime does not run `format`."""
    if option not in (None, "system"):
        recipe_for(format, option)


def _target_default(manifest: Manifest) -> str:
    """Runtime that the bundle's target names; `auto` for a target that this machine does not know."""
    try:
        return Catalog.default().target(manifest.target).deploy.runtime
    except UnknownName:
        return "auto"
