"""Prepare a bare `.onnx`, `.tflite` or `.pte` file for the runner: a folder with a manifest, as in a bundle."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from edgekit.cache import file_digest, storage_errors
from edgekit.devices.local import Local
from edgekit.devices.measurement_protocol import Described
from edgekit.devices.runner_client import Runner
from edgekit.devices.runner_install import put_runner
from edgekit.errors import ModelFileError, RuntimeMissing, suggest
from edgekit.errors.extras import extra_hint
from edgekit.ir.artifact import FORMATS, Format
from edgekit.ir.signature import Signature
from edgekit.runner.layout import MANIFEST
from edgekit.untrusted.paths import check_tree, contained, is_inside

LIMIT_BYTES = 4 << 30
"""Size limit of a model file together with its external tensor files."""
DESCRIBE_S = 300.0
"""Time limit of loading the file and reading its signature."""
MAGIC: dict[Format, bytes] = {"tflite": b"TFL3", "pte": b"ET12"}
"""File identifier at byte 4, from schema.fbs of LiteRT and program.fbs of ExecuTorch. An ONNX file has none."""
FREE = re.compile(r"of input '([^']+)' has no length(?:: \w+\[([^]]+)\])?")
"""Words of the runner on an input whose axes are free, and its sizes."""
Shapes = Mapping[str, tuple[int, ...]]
"""Shapes of inputs by name, the batch axis included."""
NO_SHAPES: Shapes = MappingProxyType({})
EXTRAS: dict[Format, str] = {"onnx": "onnx", "tflite": "tflite", "pte": "build"}
"""Extra of edgekit that installs the runtime of a format."""


@dataclass(frozen=True)
class Bare:
    """A model file as a folder that the runner can run."""

    folder: Path
    format: Format
    signature: Signature
    """Inputs and outputs as the runtime on this machine states them; a free batch axis counts as 1."""


@contextlib.contextmanager
def open_model_file(file: Path, shapes: Shapes = NO_SHAPES) -> Iterator[Bare]:
    """Yield the model in `file` and its external tensor files, copied into a folder that is removed afterwards.

    shapes: shapes of inputs by name, with the batch axis; used where the file leaves more axes free than that one.

    The file is opened in a process of its own, so that a damaged file can crash only that process. Raises
    ModelFileError if it is no such model, RuntimeMissing if no runtime on this machine runs it, StorageError.
    """
    format = _format(file)
    with tempfile.TemporaryDirectory() as scratch:
        description = _ask(file, format, Path(scratch), shapes)
        folder = Path(scratch) / "model"
        _copy(file, description.files, folder, f"model.{format}")
        _write_manifest(folder, description)
        yield Bare(folder, format, description.signature)


def _format(file: Path) -> Format:
    """Determine the format from the file's ending and its first bytes. Raises ModelFileError if they disagree."""
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
    by_magic = next((known for known, magic in MAGIC.items() if start[4:8] == magic), None)
    if by_magic not in (None, format):
        raise ModelFileError(f"'{file}' is a .{by_magic} by its first bytes", hint=f"name it {file.stem}.{by_magic}")
    if by_magic is None and format in MAGIC:
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


def _ask(file: Path, format: Format, scratch: Path, shapes: Shapes) -> Described:
    with Local(f"local://{scratch / 'device'}") as here:
        runner, info = put_runner(here, (here.python,))
        if info.runtimes.get(format) is None:
            hint = extra_hint(EXTRAS[format])
            raise RuntimeMissing(f"nothing on this machine runs .{format}, so nothing can describe '{file}'", hint=hint)
        argv: list[object] = ["describe", file.resolve(), "--format", format]
        try:
            return _describe(runner, argv, shapes)
        except ModelFileError as error:
            hint = f"is it whole, and made for {info.runtimes[format]}? export it again"
            free = FREE.search(str(error))
            if free:
                hint = f"say how long: --shape {_example(free)}, or --inputs FILE.npz with samples of that shape"
            raise ModelFileError(f"'{file}' cannot be used: {_reason(error, here)}", hint=hint) from error


def _describe(runner: Runner, argv: list[object], shapes: Shapes) -> Described:
    """Describe the file; each input that it leaves free, by the runner's word, gets its shape of `shapes`."""
    spare = dict(shapes)
    while True:
        try:
            return runner.ask(Described, *argv, timeout=DESCRIBE_S, failure=ModelFileError)
        except ModelFileError as error:
            free = FREE.search(str(error))
            shape = spare.pop(free[1], None) if free else None
            if free is None or shape is None:
                raise
            argv = [*argv, "--shape", f"{free[1]}={','.join(map(str, shape))}"]


def _example(free: re.Match[str]) -> str:
    """Option for an input whose axes are free: the sizes that it has, and usual ones for the others."""
    sizes = re.findall(r"\d+|\?", free[2] or "1, 3, ?, ?")
    length = "224" if len(sizes) == 4 else "64"
    return f"{free[1]}={','.join(['1', *(length if size == '?' else size for size in sizes[1:])])}"


def _reason(error: ModelFileError, here: Local) -> str:
    reason = str(error).removeprefix(f"{here.url}: ")
    signal = re.match(r"the runner was ended by signal \d+", reason)
    return f"its runtime died of it ({signal[0]})" if signal else reason


def _copy(file: Path, others: Sequence[str], folder: Path, name: str) -> None:
    """Copy the model as `name` into `folder`, and its external tensor files under their own names."""
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


def _write_manifest(folder: Path, description: Described) -> None:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = [
        {"path": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size, "sha256": file_digest(path)}
        for path in paths
    ]
    manifest = {
        "format": description.format,
        "model": [f"model.{description.format}", *description.files],
        "options": [],
        "signature": asdict(description.signature),
        # There are no golden vectors: nobody says what is right.
        "golden": {"count": 0, "tolerance": 0.0},
        "files": files,
    }
    with storage_errors(folder.parent):
        (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
