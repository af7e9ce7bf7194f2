"""From what an `adb://` URL asks for to the serial of a device that answers, or why there is none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from time import monotonic, sleep

from edgekit.devices.adb.server import Listed, Server, last_line
from edgekit.errors import AuthenticationRefused, CommandFailed, DeviceAmbiguous, DeviceError, Unreachable

CONNECT_S = 15.0
"""Time limit of connecting, which adb itself gives 10 s; but while it tries to reconnect, it does nothing else."""
GREET_S = 15.0
"""Time limit of the first command."""
SETTLE_S = 5.0
PASSING = ("connecting", "authorizing", "offline")
"""States that a device may be in for a moment only, after it was connected to."""


def reach(server: Server, asked: str, url: str) -> str:
    """The serial of the device that `asked` means: a serial, HOST:PORT, or nothing if there is only one.

    Raises Unreachable if it does not answer, AuthenticationRefused if it lets nobody in, DeviceAmbiguous if there are
    several.
    """
    said = _connect(server, asked) if ":" in asked else "there is no such device: adb devices lists none"
    found = [device for device in _settled(server, asked) if asked in ("", device.serial)]
    if not found:
        raise Unreachable(f"{url}: {said}", hint=_absent(asked))
    if len(found) > 1:
        raise DeviceAmbiguous(f"{url}: {len(found)} devices are there: {_names(found)}", hint=_choice(found, url))
    device = found[0]
    if device.state != "device":
        raise refusal(url, f"device {device.state}") or Unreachable(
            f"{url}: '{device.serial}' is {device.state}", hint=_absent(device.serial)
        )
    _greet(server, device.serial, url)
    return device.serial


def refusal(url: str, said: str) -> DeviceError | None:
    """What adb means by what it said of a device; None if the device is just not there."""
    if re.search("unauthorized|authorizing|failed to authenticate", said):
        return AuthenticationRefused(
            f"{url}: the device has not accepted this machine's key",
            hint="accept the key on the device's screen, then try again",
        )
    if "no permissions" in said:
        return AuthenticationRefused(
            f"{url}: this user may not open the device on USB",
            hint="apt-get install android-sdk-platform-tools-common, then plug it in anew",
        )
    if "more than one device" in said:
        return DeviceAmbiguous(f"{url}: several devices have that serial", hint="unplug all of them but one")
    return None


def _connect(server: Server, address: str) -> str:
    """What the server says of a device on the network. One that was lost is connected to anew."""
    if any(device == Listed(address, "offline") for device in server.devices()):
        server.told("disconnect", address)
    try:
        return last_line(server.ask("connect", address, timeout=CONNECT_S))
    except CommandFailed as error:
        raise Unreachable(f"no connection to '{address}' within {CONNECT_S:g} s", hint=_absent(address)) from error


def _settled(server: Server, asked: str) -> tuple[Listed, ...]:
    deadline = monotonic() + SETTLE_S
    while True:
        listed = server.devices()
        passing = [device for device in listed if asked in ("", device.serial) and device.state in PASSING]
        if not passing or monotonic() > deadline:
            return listed
        sleep(0.1)


def _greet(server: Server, serial: str, url: str) -> None:
    """One command, whose answer shows that it is there: the server lists what was there a minute ago."""
    try:
        answer = server.ask("-s", serial, "shell", "-T", "true", timeout=GREET_S)
    except CommandFailed as error:
        raise Unreachable(f"{url}: no answer within {GREET_S:g} s", hint=_absent(serial)) from error
    if "pty" in answer.stderr.lower():
        raise CommandFailed(f"{url}: its adbd is too old, Android 7 has the first that tells how a command ended")
    if answer.returncode:
        raise refusal(url, answer.stderr) or Unreachable(f"{url}: {last_line(answer)}", hint=_absent(serial))


def _names(found: Sequence[Listed]) -> str:
    return ", ".join(f"'{device.serial}' ({device.state})" for device in found)


def _choice(found: Sequence[Listed], url: str) -> str:
    urls = sorted({f"adb://{device.serial}{url.removeprefix('adb://')}" for device in found})
    return f"one of {', '.join(urls)}" if len(urls) > 1 else "unplug all of them but one: their serials are the same"


def _absent(asked: str) -> str:
    if ":" in asked:
        return f"is it on, and does adbd listen there? adb connect {asked}"
    return "adb devices -l; is it plugged in, with USB debugging on?"
