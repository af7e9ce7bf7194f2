"""History of a bundle on a device, as `edgekit history --json` prints it: flashes, commits and incidents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from edgekit.devices.protocol import HistoryEvent
from edgekit.errors import DataError
from edgekit.ir.record_fault import first_fault
from edgekit.untrusted import json_text

MAX_BYTES = 16 << 20
_EVENTS = TypeAdapter(tuple[HistoryEvent, ...])
_WRITES_IT = "edgekit history --device DEVICE --json writes one"


@dataclass(frozen=True)
class DeviceHistory:
    """Events of one bundle on one device, the latest last."""

    device: str
    events: tuple[HistoryEvent, ...]
    others: int
    """Events of other bundles, which were left out."""

    @property
    def incidents(self) -> tuple[HistoryEvent, ...]:
        """Events that something led to: a failed gate or self-test, a deadline, a restart, a person's rollback."""
        return tuple(
            event for event in self.events if event.detail or event.verdict not in ("staged", "trial", "committed")
        )

    def values(self) -> dict[str, object]:
        """Events of this bundle alone, in the form of `edgekit history --json`."""
        events = [event.model_dump(mode="json") for event in self.events]
        return {"schema": 1, "device": self.device, "history": events}


def incident_words(event: HistoryEvent) -> str:
    """Cause of an incident in words: its fields, as the device keeps them."""
    return "; ".join(f"{name}: {value}" for name, value in sorted((event.detail or {}).items())) or event.verdict


def read_histories(path: Path, digest: str) -> tuple[DeviceHistory, ...]:
    """Read the events of the bundle with this digest, on one device or on each of several.

    Raises DataError for what is no history.
    """
    try:
        if not path.is_file():
            raise ValueError("there is no such file")
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"it has more than {MAX_BYTES >> 20} MiB")
        values = json_text.loads(path.read_bytes())
        several = values.get("devices") if isinstance(values, dict) else None
        return tuple(_history(each, digest) for each in (several if isinstance(several, list) else [values]))
    except ValidationError as error:
        raise DataError(f"'{path}' is no history: {first_fault(error)}", hint=_WRITES_IT) from error
    except (OSError, ValueError) as error:
        raise DataError(f"'{path}' cannot be read as a history: {error}", hint=_WRITES_IT) from error


def _history(values: object, digest: str) -> DeviceHistory:
    """History of one device. Raises ValueError, of which pydantic's ValidationError is one."""
    device, listed = (values.get("device"), values.get("history")) if isinstance(values, dict) else (None, None)
    if not isinstance(device, str) or not isinstance(listed, list):
        raise ValueError("it has no 'device' and 'history'")
    events = _EVENTS.validate_python(listed)
    own = tuple(event for event in events if event.digest == digest)
    return DeviceHistory(device, own, len(events) - len(own))
