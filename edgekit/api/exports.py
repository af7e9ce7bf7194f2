"""Export: the bare model of a bundle, for programs without edgekit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edgekit.api.bundles import open_bundle
from edgekit.bundle.archive import Bundle
from edgekit.bundle.passphrase import Passphrase, from_file
from edgekit.bundle.signing import PublicKey
from edgekit.errors import BundleError, OptionError
from edgekit.export.contract import Contract
from edgekit.export.folder import export
from edgekit.export.pair_store import PairStore
from edgekit.export.signing_pair import SigningPair
from edgekit.ir.artifact import Format


@dataclass(frozen=True)
class ExportedModel:
    """Folder of an exported model."""

    folder: Path
    bundle: Bundle
    contract: Contract


def select_bundle(path: Path, format: Format | None, trusted: Sequence[PublicKey] | None = None) -> Bundle:
    """Verify and open a bundle, or the one of that format in a folder of builds.

    Raises OptionError if the format is another one, or several would do; else as `open_bundle`.
    """
    if not path.is_dir():
        bundle = open_bundle(path, trusted=trusted)
        if format in (None, bundle.manifest.format):
            return bundle
        message = f"--format: '{path}' holds a model in {bundle.manifest.format}, and not in {format}"
        raise OptionError(message, hint=f"edgekit build --backend {BACKENDS[format]} makes one")
    paths = sorted(path.rglob("*.edgekit"))
    if not paths:
        raise BundleError(f"there is no bundle in '{path}'", hint="edgekit build writes one, NAME.edgekit")
    bundles = [open_bundle(each, trusted=trusted) for each in paths]
    fitting = [bundle for bundle in bundles if format in (None, bundle.manifest.format)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        known = ", ".join(sorted({bundle.manifest.format for bundle in bundles}))
        hint = f"--format {known}" if len(bundles) == 1 else f"formats there: {known}"
        raise OptionError(f"--format: no bundle in '{path}' holds a model in {format}", hint=hint)
    raise OptionError(
        f"there are {len(fitting)} bundles in '{path}', and one is exported at a time",
        hint=f"edgekit export {fitting[0].path}",
    )


BACKENDS: dict[Format | None, str] = {"onnx": "onnx", "tflite": "tflite", "pte": "executorch"}
"""Backends by the format that they make."""


def signing_pair(key: str | None, ask: Passphrase = from_file) -> tuple[SigningPair, Path | None, bool]:
    """Load the pair that signs folders: of that file or name, or the user's own, which is made where there is none.

    Returns the pair, the file of its public half where edgekit keeps that, and True if it was made just now.
    """
    if key is None:
        return PairStore.of_user().default(ask)
    if Path(key).exists() or "/" in key:
        return SigningPair.read(Path(key), ask), None, False
    return *PairStore.of_user().get(key, ask), False


def export_model(
    bundle: Bundle, out: Path | None, signer: SigningPair | None = None, hub: bool = False
) -> ExportedModel:
    """Write the model of a verified bundle into a new folder; by default into `NAME-export`.

    signer, hub: as `edgekit.export.folder.export` takes them, which says what is raised.
    """
    folder = out or Path(f"{bundle.path.stem}-export")
    return ExportedModel(folder, bundle, export(bundle, folder, signer=signer, hub=hub))
