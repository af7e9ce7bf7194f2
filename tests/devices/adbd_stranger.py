"""Devices that Debian's adbd cannot be: the first packets of adb's protocol, and no more.

`unauthorized` says for ever what Android says until its owner accepts a key, `old` what Android 6 says. All else in
these tests is the real thing: the server that gets these answers, and adb.
"""

from __future__ import annotations

import socket
import struct
import sys

HEADER = struct.Struct("<4s5I")
"""Command, two arguments, length and sum of the bytes that follow, and the command with all bits turned."""
TOKEN, VERSION, MAX_DATA = 1, 0x01000000, 4096


def packet(command: bytes, first: int, second: int, data: bytes) -> bytes:
    turned = struct.unpack("<I", command)[0] ^ 0xFFFFFFFF
    return HEADER.pack(command, first, second, len(data), sum(data), turned) + data


GREETINGS = {
    "unauthorized": packet(b"AUTH", TOKEN, 0, bytes(20)),
    "old": packet(b"CNXN", VERSION, MAX_DATA, b"device::ro.product.name=old;\0"),
}


def main(port: int, greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            client, _ = listener.accept()
            with client, client.makefile("rb") as received:
                # The server greets; if it must, it tries its keys one by one, offers its public one, and waits.
                while header := received.read(HEADER.size):
                    received.read(HEADER.unpack(header)[3])
                    client.sendall(greeting)


if __name__ == "__main__":
    main(int(sys.argv[1]), GREETINGS[sys.argv[2]])
