"""Here a device is an emulated one."""

from edgekit.devices.emulation.fixtures import device

__all__ = ["device"]
