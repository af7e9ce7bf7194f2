"""Errors of devices, emulated devices and runtime packs."""

from __future__ import annotations

from edgekit.errors.base import EdgekitError


class DeviceError(EdgekitError):
    """The device did not do what was asked of it. What it served before, it serves still."""

    code = "EK400"


class Unreachable(DeviceError):
    """The device gave no answer within the time limit."""

    code = "EK401"


class CommandFailed(DeviceError):
    """A command on the device ended with an error."""

    code = "EK402"


class SelfTestFailed(DeviceError):
    """The installed model does not reproduce the golden outputs in its bundle. It was not committed."""

    code = "EK403"


class ProbeError(DeviceError):
    """The measurement could not be taken."""

    code = "EK404"


class DeviceBusy(DeviceError):
    """Another edgekit process is flashing or probing this device."""

    code = "EK405"


class AuthenticationRefused(DeviceError):
    """The device is there and does not let this user in, or not run commands.

    It does not know the key, adb is not authorized on it, or the account has no shell there: sftp only, or nologin.
    """

    code = "EK406"


class HostKeyChanged(DeviceError):
    """The device shows another host key than the one that is known, or one that nobody has vouched for yet.

    `edgekit device trust URL` shows the key and, once you agree, keeps it.
    """

    code = "EK407"


class DeviceAmbiguous(DeviceError):
    """Several devices answer, and the URL does not say which is meant."""

    code = "EK408"


class TooSmall(DeviceError):
    """The device has not enough memory or disk for the model. Nothing was sent."""

    code = "EK409"


class RuntimeMissing(DeviceError):
    """The device has no runtime, or no Python, for such a model, and was not to be given one."""

    code = "EK410"


class RuntimeMismatch(DeviceError):
    """The runtime that the device has is of another version than the one the bundle was verified with."""

    code = "EK411"


class ConnectionLost(Unreachable):
    """The device answered, and then the connection was lost. What it served before, it serves still."""

    code = "EK412"


class SlotDamaged(DeviceError):
    """The files in a slot of the device are not those that were put there, and what is damaged is not served.

    `edgekit status` shows both slots. Flash the bundle anew: it is sent again, and verified.
    """

    code = "EK706"


class TrustLost(DeviceError):
    """The device has bundles and no key of anybody: what it trusted was lost or damaged. It takes no stranger's.

    `edgekit device trust DEVICE --key NAME` pins a key again. Revocations, threshold and target must be said anew.
    """

    code = "EK707"


class StateGarbled(DeviceError):
    """The state files of a device, which say what each slot holds and which one is served, are damaged or lost.

    `edgekit device repair DEVICE` rebuilds it from the slots that verify, and says what it had to assume.
    """

    code = "EK708"


class AnswerMismatch(ProbeError):
    """The device answered what its model cannot: another name, dtype or shape than the manifest states, or no number.

    Nothing of that answer was kept. A damaged runtime does this, and so does a device in other hands.
    """

    code = "EK413"


class AcceleratorMissing(DeviceError):
    """The device's runtime of such a model, or its target, has no accelerator of that name.

    Each format has its own: a `.tflite` runs on a GPU, an `.onnx` on an NPU.
    """

    code = "EK414"


class AcceleratorLibraryMissing(AcceleratorMissing):
    """The runtime is there without the library by which it uses the accelerator."""

    code = "EK415"


class DriverMissing(AcceleratorMissing):
    """The device has no driver for the accelerator, such as a Vulkan loader and a driver that it finds."""

    code = "EK416"


class AdapterMissing(AcceleratorMissing):
    """The driver is there, and finds no device that the runtime takes."""

    code = "EK417"


class AcceleratorMemory(DeviceError):
    """The accelerator's memory does not hold the model, or one of its tensors."""

    code = "EK418"


class OperatorsRefused(DeviceError):
    """The accelerator does not run operators of the model, and was to run it alone, or could not be given the rest."""

    code = "EK419"


class AcceleratorHung(DeviceError):
    """The accelerator gave no answer within the time limit. The program that waited for it was ended."""

    code = "EK420"


class AcceleratorNotFinite(DeviceError):
    """The accelerator answers NaN or infinity.

    In float16 arithmetic a sum above 65,504 is infinite.
    """

    code = "EK421"


class AcceleratorPackageMissing(DeviceError):
    """The package with an accelerator's driver is not installed, such as `onnxruntime-qnn` for Qualcomm's NPUs.

    That one is under a licence of Qualcomm's, which lets you use it and not pass it on: edgekit brings none along.
    A build of onnxruntime, such as `onnxruntime-openvino`, goes into a folder of its own.
    """

    code = "EK425"


class ContextMismatch(DeviceError):
    """A context binary, a model compiled ahead for one NPU, is for another chip, of a newer SDK, or damaged."""

    code = "EK426"


class NumberFormatRefused(DeviceError):
    """The accelerator does not compute in the number format of the model, such as float32 on a Hexagon NPU."""

    code = "EK427"


class AcceleratorCrashed(DeviceError):
    """The accelerator's library or driver crashed, and the program that ran the model ended by a signal.

    A device that chooses by itself stays on its CPU then, with the reason in its history.
    """

    code = "EK430"


class EmulationError(EdgekitError):
    """A device could not be emulated on this machine."""

    code = "EK600"


class ToolsMissing(EmulationError):
    """QEMU, or another tool that emulation needs, is missing or too old here, and could not be fetched either."""

    code = "EK601"


class PortTaken(EmulationError):
    """Another program listens on the port of this machine where the emulated device should answer."""

    code = "EK602"


class ImageDamaged(EmulationError):
    """The image, or the state that a device wakes up from, is not whole. It is made anew at the next start."""

    code = "EK603"


class BootFailed(EmulationError):
    """The emulated device did not come up in time, or died. The last lines of its console are in the message."""

    code = "EK604"


class PackError(EdgekitError):
    """A runtime pack, which a device needs to run a model, could not be made on this machine."""

    code = "EK605"
