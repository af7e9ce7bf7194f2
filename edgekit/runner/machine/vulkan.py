"""Vulkan devices of this machine, by the loader's own C interface: name, driver, and whether it is software."""

from __future__ import annotations

import ctypes
import os
import struct
from ctypes import byref, c_uint32, c_void_p
from pathlib import Path
from typing import NamedTuple, TypeAlias

from ..errors import RunnerError

LOADERS = ("libvulkan.so.1", "libvulkan.so")
"""Names of Vulkan's loader on Linux, and on Android."""
VARIABLES = ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")
"""Variables by which the loader is told its drivers: today's, and that of loaders before 1.3.207."""
# vulkan_core.h: sType of each structure.
INSTANCE, PROPERTIES, DRIVER, FEATURES, FLOAT16 = 1, 1000059001, 1000196000, 1000059000, 1000082000
VERSION_1_2 = 1 << 22 | 2 << 12
CPU, DEVICE_LOCAL = 4, 1
DEVICES = 16


Structure: TypeAlias = "ctypes.Array[ctypes.c_char]"


class VulkanDevice(NamedTuple):
    """A device that a Vulkan driver offers."""

    name: str
    driver: str
    """Name of the driver, and what it says of its version."""
    software: bool
    """True if the CPU computes what the device should."""
    float16: bool
    """True if its shaders compute in float16."""
    memory_bytes: int
    """Size of its largest heap of device memory."""


def open_loader(folder: Path | None = None) -> ctypes.CDLL:
    """Load Vulkan's loader, for this whole process: the one of the system, or that of `folder` with its driver alone.

    folder: has `libvulkan.so.1`, and the manifest of a driver, `…icd.json`. Raises RunnerError (driver) without one.
    """
    names: tuple[str, ...] = LOADERS
    if folder is not None:
        manifests = sorted(folder.glob("*icd*.json"))
        if not manifests:
            raise RunnerError("driver", f"'{folder}' has no manifest of a Vulkan driver")
        os.environ.update(dict.fromkeys(VARIABLES, str(manifests[0])))
        names = (str(folder / LOADERS[0]),)
    problems = []
    for name in names:
        try:
            # A library that is loaded by this name later gets this one.
            return ctypes.CDLL(name, mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            problems.append(str(error))
    raise RunnerError("driver", f"there is no Vulkan loader: {'; '.join(problems)}")


def devices(loader: ctypes.CDLL) -> list[VulkanDevice]:
    """Devices of all drivers that the loader finds. Raises RunnerError: driver if no driver works, adapter for none."""
    instance = c_void_p()
    application = struct.pack("@i4xPPIPII4x", 0, 0, 0, 0, 0, 0, VERSION_1_2)
    held = ctypes.create_string_buffer(application)
    create = ctypes.create_string_buffer(
        struct.pack("@i4xPi4xPI4xPI4xP", INSTANCE, 0, 0, ctypes.addressof(held), 0, 0, 0, 0)
    )
    status = loader.vkCreateInstance(create, None, byref(instance))
    if status:
        raise RunnerError("driver", f"Vulkan's loader finds no driver that works: vkCreateInstance gives {status}")
    try:
        count = c_uint32(DEVICES)
        handles = (c_void_p * DEVICES)()
        status = loader.vkEnumeratePhysicalDevices(instance, byref(count), handles)
        if status < 0 or not count.value:
            raise RunnerError(
                "adapter", f"the Vulkan driver offers no device: vkEnumeratePhysicalDevices gives {status}"
            )
        return [_described(loader, c_void_p(handle)) for handle in handles[: count.value]]
    finally:
        loader.vkDestroyInstance(instance, None)


def _described(loader: ctypes.CDLL, device: c_void_p) -> VulkanDevice:
    driver = _structure(DRIVER, 1024)
    properties = _structure(PROPERTIES, 4096, driver)
    loader.vkGetPhysicalDeviceProperties2(device, properties)
    float16 = _structure(FLOAT16, 64)
    loader.vkGetPhysicalDeviceFeatures2(device, _structure(FEATURES, 1024, float16))
    memory = ctypes.create_string_buffer(1024)
    loader.vkGetPhysicalDeviceMemoryProperties(device, memory)
    kind = struct.unpack_from("@i", properties, 32)[0]
    name, about = (_text(driver, at) for at in (20, 276))
    return VulkanDevice(
        name=_text(properties, 36),
        driver=" ".join(filter(None, (name, about))) or "unknown",
        software=kind == CPU,
        float16=bool(struct.unpack_from("@I", float16, 16)[0]),
        memory_bytes=_largest_heap(memory),
    )


def _structure(kind: int, size: int, following: Structure | None = None) -> Structure:
    """Zeroed structure of Vulkan's, larger than needed, that begins with its type and the next one's address."""
    address = 0 if following is None else ctypes.addressof(following)
    return ctypes.create_string_buffer(struct.pack("@i4xP", kind, address), size)


def _text(raw: Structure, at: int) -> str:
    return bytes(raw)[at : at + 256].split(b"\0")[0].decode("utf-8", "replace")


def _largest_heap(memory: Structure) -> int:
    """Size of the largest heap of VkPhysicalDeviceMemoryProperties: 32 types of 8 bytes, then 16 heaps of 16."""
    count = min(struct.unpack_from("@I", memory, 260)[0], 16)
    heaps = [struct.unpack_from("@QI", memory, 264 + 16 * i) for i in range(count)]
    return max((size for size, flags in heaps if flags & DEVICE_LOCAL), default=0)
