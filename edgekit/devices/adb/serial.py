"""Selection of an adb device: the serial of one that answers, for the serial or address in an `adb://` URL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import monotonic, sleep

from edgekit.devices.adb.server import AdbDevice, Server, last_line
from edgekit.errors import AuthenticationRefused, CommandFailed, DeviceAmbiguous, DeviceError, Unreachable

CONNECT_S = 15.0
"""Time limit of connecting, for which adb itself takes 10 s, or more while it tries to reconnect."""
GREET_S = 15.0
"""Time limit of the first command."""
SETTLE_S = 5.0
PASSING = ("connecting", "authorizing", "offline")
"""States that a device has for a moment after it was connected to."""


def reach(server: Server, requested: str, url: str) -> str:
    """Find the serial of the device for `requested`: a serial, HOST:PORT, or empty if there is only one.

    Raises Unreachable if it does not answer, AuthenticationRefused if it lets nobody in, DeviceAmbiguous if there are
    several.
    """
    message = _connect(server, requested) if ":" in requested else "there is no such device: adb devices lists none"
    matches = [device for device in _settled(server, requested) if requested in ("", device.serial)]
    if not matches:
        raise Unreachable(f"{url}: {message}", hint=_absent(requested))
    if len(matches) > 1:
        raise DeviceAmbiguous(f"{url}: {len(matches)} devices are there: {_names(matches)}", hint=_choice(matches, url))
    device = matches[0]
    if device.state != "device":
        raise refusal(url, f"device {device.state}") or Unreachable(
            f"{url}: '{device.serial}' is {device.state}", hint=_absent(device.serial)
        )
    _greet(server, device.serial, url)
    return device.serial


def refusal(url: str, message: str) -> DeviceError | None:
    """Error for a message of adb about a device; None if the device is just not there."""
    if re.search("unauthorized|authorizing|failed to authenticate", message):
        return AuthenticationRefused(
            f"{url}: the device has not accepted this machine's key",
            hint="accept the key on the device's screen, then try again",
        )
    if "no permissions" in message:
        return AuthenticationRefused(
            f"{url}: this user may not open the device on USB",
            hint="apt-get install android-sdk-platform-tools-common, then plug it in anew",
        )
    if "more than one device" in message:
        return DeviceAmbiguous(f"{url}: several devices have that serial", hint="unplug all of them but one")
    return None


def _connect(server: Server, address: str) -> str:
    """Connect the server to a device on the network, again if it was lost, and return its message."""
    if any(device == AdbDevice(address, "offline") for device in server.devices()):
        server.told("disconnect", address)
    try:
        return last_line(server.ask("connect", address, timeout=CONNECT_S))
    except CommandFailed as error:
        raise Unreachable(f"no connection to '{address}' within {CONNECT_S:g} s", hint=_absent(address)) from error


def _settled(server: Server, requested: str) -> tuple[AdbDevice, ...]:
    deadline = monotonic() + SETTLE_S
    while True:
        listed = server.devices()
        passing = [device for device in listed if requested in ("", device.serial) and device.state in PASSING]
        if not passing or monotonic() > deadline:
            return listed
        sleep(0.1)


def _greet(server: Server, serial: str, url: str) -> None:
    """Run one command, whose answer shows that the device is there: the server lists devices that were a minute ago."""
    try:
        answer = server.ask("-s", serial, "shell", "-T", "true", timeout=GREET_S)
    except CommandFailed as error:
        raise Unreachable(f"{url}: no answer within {GREET_S:g} s", hint=_absent(serial)) from error
    if "pty" in answer.stderr.lower():
        raise CommandFailed(f"{url}: its adbd is too old, Android 7 has the first that tells how a command ended")
    if answer.returncode:
        raise refusal(url, answer.stderr) or Unreachable(f"{url}: {last_line(answer)}", hint=_absent(serial))


def _names(devices: Sequence[AdbDevice]) -> str:
    return ", ".join(f"'{device.serial}' ({device.state})" for device in devices)


def _choice(devices: Sequence[AdbDevice], url: str) -> str:
    urls = sorted({f"adb://{device.serial}{url.removeprefix('adb://')}" for device in devices})
    return f"one of {', '.join(urls)}" if len(urls) > 1 else "unplug all of them but one: their serials are the same"


def _absent(requested: str) -> str:
    if ":" in requested:
        return f"is it on, and does adbd listen there? adb connect {requested}"
    return "adb devices -l; is it plugged in, with USB debugging on?"
