"""Folders of pretrained networks, as transformers and timm write them: checked without importing either."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgekit.errors import MissingExtra, ModelFileError, SpecError, UnsupportedModelFile
from edgekit.specs.file_access import reading
from edgekit.specs.missing_module import missing_module_hint
from edgekit.untrusted import json_text

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
MAX_CONFIG = 8 << 20
OTHERS = ("pytorch_model.bin", "model.bin", "tf_model.h5", "flax_model.msgpack")
LIBRARIES = ("transformers", "timm", "torchvision")


@dataclass(frozen=True)
class PretrainedFolder:
    """Library that makes the network of a folder, the name of its class or architecture, and the configuration."""

    library: str
    architecture: str
    config: Mapping[str, Any]


def read_pretrained_folder(folder: Path, stated: str, root: Path) -> PretrainedFolder:
    """Read the configuration in a folder of the project in `root`.

    Raises SpecError if it is no such folder, ModelFileError if files in it are missing or damaged,
    UnsupportedModelFile if it needs code of its own, MissingExtra if the library is not installed.
    """
    if not folder.is_dir():
        raise SpecError(
            f"[model] folder: there is no folder '{stated}' in '{root}'",
            hint="copy it there; edgekit downloads no models: hf download NAME --local-dir FOLDER does",
        )
    if not folder.resolve().is_relative_to(root.resolve()):
        raise SpecError(f"[model] folder: '{stated}' lies outside of the project", hint=f"copy it into '{root}'")
    described = _description(_config(folder / CONFIG, stated), stated)
    _check_weights(folder, stated, described.library)
    if importlib.util.find_spec(described.library) is None:
        raise MissingExtra(
            f"'{stated}' is a network of {described.library}, which is not installed",
            hint=missing_module_hint(described.library, root, folder),
        )
    return described


def _config(path: Path, stated: str) -> Mapping[str, Any]:
    if not path.is_file():
        raise ModelFileError(f"'{stated}' has no '{CONFIG}'", hint="network.save_pretrained(FOLDER) writes it")
    with reading(f"{stated}/{CONFIG}", "copy it again"):
        if path.stat().st_size > MAX_CONFIG:
            raise ValueError(f"it has {path.stat().st_size:,} bytes")
        config = json_text.loads(path.read_bytes())
    if not isinstance(config, Mapping):
        raise ModelFileError(f"'{stated}/{CONFIG}' is no table of keys", hint="copy it again")
    return config


def _description(config: Mapping[str, Any], stated: str) -> PretrainedFolder:
    if config.get("auto_map"):
        raise UnsupportedModelFile(
            f"'{stated}' is made by code of its own ('auto_map'), which edgekit never runs from a model's folder",
            hint='copy that code into your project, and return the network from a factory: factory = "model.py:net"',
        )
    named = config.get("architectures") or ()
    names = [config["architecture"]] if isinstance(config.get("architecture"), str) else named
    if not isinstance(names, list) or len(names) != 1 or not re.fullmatch(r"[A-Za-z_][\w.]*", str(names[0])):
        raise UnsupportedModelFile(
            f"'{stated}/{CONFIG}' names no network: 'architectures' of transformers or 'architecture' of timm",
            hint='return the network from a factory: factory = "model.py:net"',
        )
    library = config.get("library", config.get("library_name", "timm")) if "architecture" in config else "transformers"
    if library not in LIBRARIES:
        raise UnsupportedModelFile(
            f"'{stated}/{CONFIG}' names the library '{library}'", hint=f"edgekit knows {', '.join(LIBRARIES)}"
        )
    return PretrainedFolder(library, str(names[0]), config)


def _check_weights(folder: Path, stated: str, library: str) -> None:
    if (folder / WEIGHTS).is_file():
        return
    if library == "transformers" and (folder / INDEX).is_file():
        missing = [name for name in _shards(folder / INDEX, stated) if not (folder / name).is_file()]
        if not missing:
            return
        raise ModelFileError(f"'{stated}' lacks '{missing[0]}', which '{INDEX}' names", hint="copy all of its files")
    others = [name for name in OTHERS if (folder / name).is_file()]
    raise ModelFileError(
        f"'{stated}' has no '{WEIGHTS}'" + (f", but '{others[0]}'" if others else ""),
        hint="network.save_pretrained(FOLDER) writes it; edgekit reads no pickles"
        if others
        else "copy all of its files",
    )


def _shards(path: Path, stated: str) -> list[str]:
    try:
        names = json_text.loads(path.read_bytes())["weight_map"].values()
        shards = sorted(set(map(str, names)))
    except (ValueError, OSError, KeyError, TypeError, AttributeError) as error:
        raise ModelFileError(f"'{stated}/{INDEX}' cannot be read: {error}", hint="copy it again") from error
    if not all(re.fullmatch(r"[\w.-]+\.safetensors", name) for name in shards):
        raise ModelFileError(f"'{stated}/{INDEX}' names files outside of the folder", hint="copy it again")
    return shards
