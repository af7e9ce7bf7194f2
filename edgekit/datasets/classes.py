"""Names of a project's classes, in the order of the labels."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

from edgekit.errors import DataError, EdgekitError
from edgekit.ir.measurement import Array
from edgekit.ir.plural import counted
from edgekit.specs.factory import RAISED, in_a_line, resolve
from edgekit.specs.project import Project

LITTER = frozenset({"__macosx", "__pycache__", "@eadir", "lost+found", "thumbs.db", "desktop.ini"})
"""Files that operating systems leave in folders, beside names that begin with a dot."""


def class_names(project: Project) -> tuple[str, ...]:
    """List the project's class names; empty where nothing states them.

    They are those of `[model] classes`; else, where the evaluation data are a folder of class folders, the names of
    these in their order. Raises DataError or SpecError if they cannot be read.
    """
    classes = project.model.classes
    if classes is None:
        return _of_folders(project)
    if not isinstance(classes, str):
        return classes
    try:
        return tuple(str(name) for name in resolve(classes, project.root))
    except EdgekitError:
        raise
    except RAISED as error:
        raise DataError(
            f"the classes of '{project.name}': '{classes}' cannot be read: {in_a_line(error)}",
            hint="[model] classes lists the names, or says file.py:NAME of a list of them",
        ) from error


def class_folders(root: Path) -> list[Path]:
    """List the visible folders in `root`, sorted by name: one per class."""
    return [child for child in visible(root) if child.is_dir()]


def visible(folder: Path) -> list[Path]:
    """List the visible entries of a folder, sorted by name: neither hidden files nor LITTER."""
    return sorted(child for child in folder.iterdir() if not _is_hidden(child.name))


def normal(name: str) -> str:
    """Normalize a name to Unicode NFC, as some systems write letters with accents as two characters."""
    return unicodedata.normalize("NFC", name)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in LITTER


def _of_folders(project: Project) -> tuple[str, ...]:
    evaluation = project.data.evaluation
    root = project.root / evaluation.path if evaluation.path and evaluation.labelled else None
    return tuple(normal(folder.name) for folder in class_folders(root)) if root and root.is_dir() else ()


def without_samples(classes: Sequence[str], labels: Array | None, where: str) -> tuple[str, ...]:
    """Describe the classes of which a data set has no sample, in one sentence; none if labels, [N], are no classes."""
    if not classes or labels is None or labels.dtype.kind not in "iu" or labels.ndim != 1:
        return ()
    present = set(labels.tolist())
    missing = [name for label, name in enumerate(classes) if label not in present]
    if not missing:
        return ()
    names = ", ".join(f"'{name}'" for name in missing[:5]) + (", …" if len(missing) > 5 else "")
    verb = "has" if len(missing) == 1 else "have"
    return (f"{len(missing):,} of {counted(len(classes), 'class')} {verb} no sample in the {where}: {names}.",)
