"""
Every error we raise on purpose:

* EdgekitError
  x UsageError               what was typed or written is wrong; exit 2
    - SpecError              EK101  a target, profile, project or device file is wrong
    - UnknownName            EK102  no such target, profile, backend, key, gate …; says the nearest
    - Misfit                 EK103  this profile cannot serve this target
    - OptionError            EK104  an option has no such value
    - DataError              EK105  a data set is empty, of the wrong shape or dtype, or not finite
    - Ambiguous              EK106  two plug-ins claim one name
    - ModelFileError         EK107  a model file is empty, damaged, or not what its name says
  x CompileError             the model could not be taken through the compiler; exit 3
    - LoadError              EK201  the project's code failed, or its factory returned no module
    - ForwardError           EK202  the model's forward failed on the stated shape
    - CaptureError           EK203  torch.export could not trace the model
    - PassError              EK204  a pass broke its contract
    - LoweringError          EK205  the converter failed
    - UnsupportedOperator    EK206  the converter has no such operator
    - LoweringTimeout        EK207  the converter did not finish in time
    - Disagreement           EK208  the file loads, but does not compute what the program computes
  x BundleError              EK301  not a bundle, or not a whole one; exit 3
    - SignatureError         EK302  the signature or a digest does not match
    - UntrustedKey           EK303  signed by a key nobody here trusts
    - Incompatible           EK304  right bundle, wrong device
    - VersionTooOld          EK305  an older version than the device may run again
  x DeviceError              the device did not do what was asked; exit 3
    - Unreachable            EK401  no answer
    - CommandFailed          EK402  a command on the device failed
    - SelfTestFailed         EK403  the installed model does not reproduce its golden outputs
    - ProbeError             EK404  the measurement could not be taken
    - DeviceBusy             EK405  another edgekit is at work on it
    - AuthenticationRefused  EK406  it does not let this user in
    - HostKeyChanged         EK407  it is not the device it was, or nobody said that it is
    - DeviceAmbiguous        EK408  several devices answer to that
    - TooSmall               EK409  not enough memory or disk for the model
    - RuntimeMissing         EK410  nothing there runs such a model
    - RuntimeMismatch        EK411  its runtime is of another version than the bundle's
    - ConnectionLost         EK412  it was there, and went away
    - AnswerMismatch         EK413  it answered what its model cannot answer
  x EmulationError           a device could not be emulated; exit 3
    - ToolsMissing           EK601  QEMU, or another tool, is missing or too old
    - PortTaken              EK602  another program listens where the device should
    - ImageDamaged           EK603  the image, or the state that a device wakes up from, is not whole
    - BootFailed             EK604  the device did not come up
  x PackError                EK605  a runtime pack could not be made
  x ServingError             a server did not answer as it must, or could not be started here; exit 3
    - ServerUnreachable      EK701  no answer, or none in time
    - ServerRefused          EK702  it does not take the token
    - ModelMismatch          EK703  it serves no such model, or one that takes or gives something else
    - ServerFailed           EK704  it answered with an error
    - ServerNotStarted       EK705  it could not be installed or started on this machine
  x MissingExtra             EK501  an optional dependency is not installed
  x OutputBusy               EK502  another build is writing the same folder
  x StorageError             EK503  the disk is full, or a file cannot be written
  x Interrupted              EK504  stopped by Ctrl-C or a signal

A missed gate is a result and none of these. `edgekit explain CODE` prints the docstring of the class.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import ClassVar


class EdgekitError(Exception):
    """Base of every error raised on purpose: says what and where; `hint` says what to type next."""

    code: ClassVar[str] = "EK000"
    exit_code: ClassVar[int] = 3

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(EdgekitError):
    """What was typed, or what a file says, is wrong. Nothing was started."""

    code = "EK100"
    exit_code = 2


class SpecError(UsageError):
    """A target, profile, project or device file is missing, is no TOML, or says something edgekit does not know.

    The message names the file and the key. `edgekit targets show ID` and `edgekit profiles show ID` print good ones.
    """

    code = "EK101"


class UnknownName(UsageError):
    """Nothing has that name: no target, profile, backend, key, example, gate or code. The hint says the nearest."""

    code = "EK102"


class Misfit(UsageError):
    """The profile asks for what the target cannot run: another family, or a precision its runtime lacks."""

    code = "EK103"


class OptionError(UsageError):
    """An option on the command line has a value that it cannot take."""

    code = "EK104"


class DataError(UsageError):
    """A data set is empty, unreadable, not of the stated shape or dtype, not finite, or wrongly labelled."""

    code = "EK105"


class Ambiguous(UsageError):
    """Two installed plug-ins register the same name. Uninstall one of the packages the message names."""

    code = "EK106"


class ModelFileError(UsageError):
    """A bare model file is empty, damaged, not of the format that its name says, or none that can be served."""

    code = "EK107"


class CompileError(EdgekitError):
    """The model could not be taken through the compiler."""

    code = "EK200"


class LoadError(CompileError):
    """A file of the project could not be imported, or its factory raised or returned no torch.nn.Module."""

    code = "EK201"


class ForwardError(CompileError):
    """The model was made, but its forward failed on the shape that `[inputs]` states."""

    code = "EK202"


class CaptureError(CompileError):
    """torch.export could not trace the model. The message names the module and the line."""

    code = "EK203"


class PassError(CompileError):
    """A pass could not take the program, or its result broke what the pass promises."""

    code = "EK204"


class LoweringError(CompileError):
    """The converter failed, or its process died. The last lines it wrote are in the message."""

    code = "EK205"


class UnsupportedOperator(LoweringError):
    """The converter has no kernel for an operator of the model. Try another backend, or rewrite that part."""

    code = "EK206"


class LoweringTimeout(LoweringError):
    """The converter did not finish within its time limit and was stopped."""

    code = "EK207"


class Disagreement(LoweringError):
    """The file loads and runs, but its outputs are not those of the program it was lowered from."""

    code = "EK208"


class BundleError(EdgekitError):
    """The file is not a bundle, or not a whole one."""

    code = "EK301"


class SignatureError(BundleError):
    """The signature, or the digest of a file inside, does not match: the bundle was changed after it was signed."""

    code = "EK302"


class UntrustedKey(BundleError):
    """The bundle is signed by a key that is not among yours. `edgekit keys trust FILE` adds one."""

    code = "EK303"


class Incompatible(BundleError):
    """The bundle is whole, but was built for another kind of device or runtime."""

    code = "EK304"


class VersionTooOld(BundleError):
    """The bundle's version is below the floor of the device, which was raised so that it never goes back there."""

    code = "EK305"


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
    """The device is there and does not let this user in: a key that it does not know, or adb not authorized on it."""

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


class AnswerMismatch(ProbeError):
    """The device answered what its model cannot: another name, dtype or shape than the manifest states, or no number.

    Nothing of that answer was kept. A damaged runtime does this, and so does a device in other hands.
    """

    code = "EK413"


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


class ServingError(EdgekitError):
    """A server did not answer as it must, or could not be started here. Answers that came before are kept."""

    code = "EK700"


class ServerUnreachable(ServingError):
    """The server gave no answer, or none within the time limit: it is not there, went away, or is too slow."""

    code = "EK701"


class ServerRefused(ServingError):
    """The server does not let us in: the token that `reference.token_env` names is missing, wrong or has expired."""

    code = "EK702"


class ModelMismatch(ServingError):
    """The server has no such model, or its model takes or gives something else than the project states."""

    code = "EK703"


class ServerFailed(ServingError):
    """The server answered a request with an error, or with something that is no answer to it."""

    code = "EK704"


class ServerNotStarted(ServingError):
    """A server could not be installed or started on this machine. The last lines that it wrote are in the message."""

    code = "EK705"


class MissingExtra(EdgekitError):
    """An optional dependency is not installed; the hint says which extra brings it."""

    code = "EK501"


class OutputBusy(EdgekitError):
    """Another build is writing to the same output folder. Wait for it, or give `--out` another folder."""

    code = "EK502"


class StorageError(EdgekitError):
    """The disk is full, or a file could not be read or written. Nothing half-written was left."""

    code = "EK503"


class Interrupted(EdgekitError):
    """Stopped by Ctrl-C or a signal. Finished stages stay in the cache; nothing half-written was left."""

    code = "EK504"


def all_errors(root: type[EdgekitError] = EdgekitError) -> Iterator[type[EdgekitError]]:
    """Every error class, the base first, in the order they are defined."""
    yield root
    for child in root.__subclasses__():
        yield from all_errors(child)


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that looks most like `name`, if any does."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return close[0] if close else None


def suggest(name: str, known: Iterable[str], otherwise: str) -> str:
    """A hint for a name that is not known: the nearest one, or what else to do."""
    close = nearest(name, known)
    return f"did you mean '{close}'?" if close else otherwise
