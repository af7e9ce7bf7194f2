"""A bare `.onnx`, `.tflite` or `.pte` becomes what the runner can run: a folder with a manifest, as a bundle's is."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from edgekit.cache import file_digest, storage_errors
from edgekit.devices.local import Local
from edgekit.devices.measurement_protocol import Described
from edgekit.devices.runner_client import put_runner
from edgekit.errors import ModelFileError, RuntimeMissing, suggest
from edgekit.ir.artifact import FORMATS, Format
from edgekit.ir.signature import Signature
from edgekit.runner.layout import MANIFEST
from edgekit.untrusted.paths import check_tree, contained, is_inside

LIMIT_BYTES = 4 << 30
"""The largest model, with all that belongs to it, that is taken for one."""
DESCRIBE_S = 300.0
MAGIC: dict[Format, bytes] = {"tflite": b"TFL3", "pte": b"ET12"}
"""At byte 4, as schema.fbs of LiteRT and program.fbs of ExecuTorch have it. An ONNX file has none."""
EXTRAS: dict[Format, str] = {"onnx": "onnx", "tflite": "tflite", "pte": "build"}
"""The extra of edgekit that brings what runs a format."""


@dataclass(frozen=True)
class Bare:
    """A model file as a folder that the runner can run."""

    folder: Path
    format: Format
    signature: Signature
    """As the runtime on this machine gives it; a free batch is 1."""


@contextlib.contextmanager
def described(file: Path) -> Iterator[Bare]:
    """The model in `file`, with the files that it keeps tensors in, copied into a folder that is removed again.

    It is opened in a process of its own: what a damaged file does there, it does to nobody else. Raises ModelFileError
    if it is no such model, RuntimeMissing if nothing on this machine runs it, StorageError.
    """
    format = _format(file)
    with tempfile.TemporaryDirectory() as scratch:
        said = _ask(file, format, Path(scratch))
        folder = Path(scratch) / "model"
        _copy(file, said.files, folder, f"model.{format}")
        _write_manifest(folder, said)
        yield Bare(folder, format, said.signature)


def _format(file: Path) -> Format:
    """By its name and its first bytes, which must agree."""
    ending = file.suffix.removeprefix(".")
    format = next((known for known in FORMATS if known == ending), None)
    if format is None:
        hint = suggest(ending, FORMATS, "a model is .onnx, .tflite or .pte; a bundle is .edgekit")
        raise ModelFileError(f"'{file}' is no model by its name", hint=hint)
    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            start = opened.read(8)
    except OSError as error:
        raise ModelFileError(
            f"'{file}' cannot be read: {error.strerror}", hint="edgekit probe FILE --device D"
        ) from error
    _check_size(size, file)
    found = next((known for known, magic in MAGIC.items() if start[4:8] == magic), None)
    if found not in (None, format):
        raise ModelFileError(f"'{file}' is a .{found} by its first bytes", hint=f"name it {file.stem}.{found}")
    if found is None and format in MAGIC:
        raise ModelFileError(
            f"'{file}' does not begin as a .{format} does", hint="is it whole? export or copy it again"
        )
    return format


def _check_size(size: int, file: Path) -> None:
    if size == 0:
        raise ModelFileError(f"'{file}' is empty", hint="export or copy it again")
    if size > LIMIT_BYTES:
        raise ModelFileError(
            f"'{file}' has {size / 1e9:.1f} GB, more than {LIMIT_BYTES >> 30} GiB", hint="is it the model?"
        )


def _ask(file: Path, format: Format, scratch: Path) -> Described:
    with Local(f"local://{scratch / 'device'}") as here:
        runner, info = put_runner(here, (here.python,))
        if info.runtimes.get(format) is None:
            hint = f"pip install 'edgekit[{EXTRAS[format]}]'"
            raise RuntimeMissing(f"nothing on this machine runs .{format}, so nothing can describe '{file}'", hint=hint)
        argv = ("describe", file.resolve(), "--format", format)
        try:
            return runner.ask(Described, *argv, timeout=DESCRIBE_S, failure=ModelFileError)
        except ModelFileError as error:
            hint = f"is it whole, and made for {info.runtimes[format]}? export it again"
            raise ModelFileError(f"'{file}' cannot be used: {_reason(error, here)}", hint=hint) from error


def _reason(error: ModelFileError, here: Local) -> str:
    said = str(error).removeprefix(f"{here.url}: ")
    signal = re.match(r"the runner was ended by signal \d+", said)
    return f"its runtime died of it ({signal[0]})" if signal else said


def _copy(file: Path, others: Sequence[str], folder: Path, name: str) -> None:
    """The model under a plain name, and what belongs to it under its own."""
    try:
        check_tree([name, MANIFEST, *others])
    except ValueError as error:
        raise ModelFileError(f"'{file}' cannot be used: {error}", hint="export it as one file") from error
    outside = [other for other in others if not is_inside(other)]
    if outside:
        raise ModelFileError(f"'{file}' keeps tensors in '{outside[0]}', no plain name", hint="export it as one file")
    _check_size(sum(path.stat().st_size for path in (file, *(file.parent / other for other in others))), file)
    with storage_errors(folder.parent):
        for source, target in ((file, name), *((file.parent / other, other) for other in others)):
            place = contained(folder, target)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place)


def _write_manifest(folder: Path, said: Described) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [
        {"path": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size, "sha256": file_digest(path)}
        for path in paths
    ]
    manifest = {
        "format": said.format,
        "model": [f"model.{said.format}", *said.files],
        "options": [],
        "signature": asdict(said.signature),
        # There are no golden vectors: nobody says what is right.
        "golden": {"count": 0, "tolerance": 0.0},
        "files": files,
    }
    with storage_errors(folder.parent):
        (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
