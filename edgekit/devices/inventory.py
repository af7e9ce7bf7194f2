"""Inventory of the user's devices by name, `devices.toml`: edited by people, and by several processes at once."""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from edgekit import user_paths
from edgekit.atomic import stored, write
from edgekit.errors import OptionError, SpecError, UnknownName, suggest
from edgekit.permissions import OWNERS_FILE, private_folder, private_opener
from edgekit.specs.spec import Spec, parse, read_toml

FILE = "devices.toml"
RESERVED = ("emulated",)
"""Names that `--device` gives another meaning: no device of the user's can have them."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_HEADER = re.compile(r"\s*\[\s*([A-Za-z0-9_-]+)\s*\]\s*(#.*)?")


def _named(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ValueError("should be up to 64 letters, digits, '-' and '_'")
    return text


def _url(text: str) -> str:
    if "://" not in text or not text.isprintable():
        raise ValueError("should be a URL, such as 'ssh://pi@kitchen'")
    return text


Name = Annotated[str, AfterValidator(_named)]


class DeviceEntry(Spec):
    """Entry of a device in the inventory."""

    url: Annotated[str, AfterValidator(_url)]
    target: Name | None = None
    """Id of its target, or a family of targets: bundles for any other are not sent there."""
    groups: tuple[Name, ...] = ()


@dataclass(frozen=True)
class Book:
    """The file `devices.toml`. Comments, and everything else that people wrote in it, stay as they are."""

    path: Path

    @classmethod
    def of_user(cls) -> Book:
        """Inventory of this user, in their config folder or in EDGEKIT_CONFIG."""
        return cls(user_paths.config() / FILE)

    def entries(self) -> Mapping[str, DeviceEntry]:
        """Entries by name, in the order of the file.

        Raises SpecError that names the first wrong key and the nearest right one.
        """
        if not self.path.exists():
            return {}
        return {name: self._entry(name, values) for name, values in read_toml(self.path).items()}

    def find(self, name: str) -> DeviceEntry:
        """Find the device of that name. Raises UnknownName (with the nearest), SpecError."""
        entries = self.entries()
        if name not in entries:
            hint = suggest(name, entries, f"edgekit device add {name} ssh://user@host")
            raise UnknownName(f"no device is named '{name}'", hint=hint)
        return entries[name]

    def members(self, group: str) -> tuple[str, ...]:
        """Names of the devices in a group. Raises UnknownName (with the nearest) if it has none, SpecError."""
        entries = self.entries()
        names = tuple(name for name, entry in entries.items() if group in entry.groups)
        if not names:
            known = sorted({group for entry in entries.values() for group in entry.groups})
            hint = suggest(group, known, f"edgekit device add NAME URL --group {group}")
            raise UnknownName(f"no device is in a group '{group}'", hint=hint)
        return names

    def add(self, name: str, entry: DeviceEntry) -> None:
        """Write a device into the file. Raises OptionError if the name is taken or cannot be one; StorageError."""
        if not _NAME.fullmatch(name) or name in RESERVED:
            raise OptionError(f"'{name}' cannot be a device's name", hint="letters, digits and dashes: kitchen-2")
        with self._locked():
            if name in self.entries():
                raise OptionError(f"there is a device '{name}' already", hint=f"edgekit device remove {name}")
            text = self._text()
            gap = "\n" if text.endswith("\n") else "\n\n" if text else ""
            self._write(f"{text}{gap}{_table(name, entry)}", {**self.entries(), name: entry})

    def remove(self, name: str) -> None:
        """Take a device out of the file. Raises UnknownName (with the nearest), SpecError, StorageError."""
        with self._locked():
            self.find(name)
            kept = {other: entry for other, entry in self.entries().items() if other != name}
            self._write(_without(self._text(), name), kept)

    def _entry(self, name: str, values: object) -> DeviceEntry:
        where = f"'{self.path}'"
        if not _NAME.fullmatch(name) or name in RESERVED:
            raise SpecError(
                f"{where}: '{name}' cannot be a device's name", hint="letters, digits and dashes: [kitchen-2]"
            )
        if not isinstance(values, dict):
            raise SpecError(f"{where}: '{name}': should be a table", hint=f'[{name}], and below it url = "ssh://…"')
        return parse(DeviceEntry, values, f"{where}, device '{name}'")

    @property
    def _lock(self) -> Path:
        return self.path.with_name(f".{self.path.name}.lock")

    def _text(self) -> str:
        return self.path.read_text("utf-8") if self.path.exists() else ""

    def _write(self, text: str, meant: Mapping[str, DeviceEntry]) -> None:
        """Write the file if its text parses to the entries `meant`: people write TOML in more ways than edgekit.

        Raises SpecError otherwise.
        """
        try:
            parsed = {name: self._entry(name, values) for name, values in tomllib.loads(text).items()}
        except (ValueError, SpecError):
            parsed = {}
        if parsed != meant:
            raise SpecError(f"'{self.path}' is written in a way that cannot be changed here", hint="edit it by hand")
        write(self.path, text.encode(), OWNERS_FILE)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with stored(self.path):
            private_folder(self.path.parent)
            lock = open(self._lock, "w", opener=private_opener)  # noqa: SIM115  closed below
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _table(name: str, entry: DeviceEntry) -> str:
    lines = [f"[{name}]", f"url = {_quoted(entry.url)}"]
    if entry.target:
        lines.append(f"target = {_quoted(entry.target)}")
    if entry.groups:
        lines.append(f"groups = [{', '.join(map(_quoted, entry.groups))}]")
    return "".join(f"{line}\n" for line in lines)


def _quoted(text: str) -> str:
    # Of printable text, JSON escapes what TOML does, and in the same way.
    return json.dumps(text, ensure_ascii=False)


def _without(text: str, name: str) -> str:
    """Remove the table of that name: from its heading up to the next one, or to the comment above that."""
    lines = text.splitlines(keepends=True)
    headings = {i: match[1] for i, line in enumerate(lines) if (match := _HEADER.fullmatch(line.rstrip("\r\n")))}
    first = next((i for i, match in headings.items() if match == name), len(lines))
    last = next((i for i in headings if i > first), len(lines))
    while last > first + 1 and last < len(lines) and lines[last - 1].lstrip().startswith("#"):
        last -= 1
    return "".join(lines[:first] + lines[last:])
