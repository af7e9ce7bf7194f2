"""Folders of pictures, with a folder for each class or without, and what in them is no picture."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from edgekit.datasets.classes import class_folders, normal, visible
from edgekit.datasets.pictures import FORMATS, SUFFIXES
from edgekit.errors import EmptyClass

TRAINING = ("train", "training")
EVALUATION = ("val", "valid", "validation", "test", "testing", "eval", "evaluation")
"""Names of folders for the parts of a data set, as ImageFolder's users name them."""
MOST_HEADERS = 4096
"""Pictures whose headers are read, for their sizes."""
SHOWN = 3


@dataclass(frozen=True)
class PictureFolder:
    """Pictures of a folder: of class folders, of class folders in `train` and `val`, or without classes."""

    path: Path
    classes: tuple[str, ...]
    """Names of the class folders in their order; empty where pictures lie in the folder itself."""
    count: int
    sizes: frozenset[tuple[int, int]]
    """Heights and widths that occur, of those whose headers were read."""
    grey: bool
    training: str = ""
    """Name of the folder of training pictures, where the set is split already."""
    evaluation: str = ""
    other: tuple[str, ...] = ()
    """Sentences on what lies there and is not read."""
    damaged: tuple[str, ...] = ()
    """Pictures whose headers cannot be read, by their paths below the folder with the classes."""


def picture_folders(folder: Path) -> list[PictureFolder]:
    """List the sets of pictures in `folder`: the folder itself, or those in it. Raises EmptyClass."""
    own = read_picture_folder(folder)
    if own:
        return [own]
    return [each for child in class_folders(folder) if (each := read_picture_folder(child))]


def read_picture_folder(folder: Path) -> PictureFolder | None:
    """Read what a folder of pictures holds; None if it holds none. Raises EmptyClass for a class without a picture."""
    parts = {child.name.lower(): child.name for child in class_folders(folder)}
    training = next((parts[name] for name in TRAINING if name in parts), "")
    evaluation = next((parts[name] for name in EVALUATION if name in parts), "")
    parts_with_classes = [part for part in (evaluation, training) if part and _holds_classes(folder / part)]
    if len(parts_with_classes) == 2:
        return _read(folder, evaluation, training)
    if parts_with_classes:
        return _alone(folder / parts_with_classes[0])
    if _holds_classes(folder) or any(map(_is_picture, visible(folder))):
        return _alone(folder)
    return None


def _alone(part: Path) -> PictureFolder:
    """Read a set that is not split, or one part of a set whose other part is not there."""
    data = _read(part, "", "")
    if part.name.lower() in TRAINING:
        learned = f"'{part.name}' alone: pictures that the network was trained on flatter it; --data names others"
        return replace(data, other=(*data.other, learned))
    return data


def _holds_classes(folder: Path) -> bool:
    """True for two folders of pictures or more, side by side, that are no parts of a set."""
    folders = [child for child in class_folders(folder) if child.name.lower() not in (*TRAINING, *EVALUATION)]
    return sum(any(map(_is_picture, visible(child))) for child in folders) > 1


def _read(folder: Path, evaluation: str, training: str) -> PictureFolder:
    base = folder / evaluation if evaluation else folder
    # Folders without any file, such as an `out`, are no classes: those with files and no picture are.
    classes = (
        [child for child in class_folders(base) if any(map(Path.is_file, visible(child)))]
        if _holds_classes(base)
        else []
    )
    places = classes or [base]
    other: Counter[str] = Counter()
    for place in places:
        files = [file for file in visible(place) if file.is_file()]
        other.update(
            _ending(file) for file in files if not _is_picture(file) and (classes or file.suffix.lower() in UNREAD)
        )
        if classes and not any(map(_is_picture, files)):
            raise EmptyClass(
                f"class '{place.name}' in '{base.name}' has no picture that edgekit reads, but {_counts(files)}",
                hint=f"convert them to PNG or JPEG, or move '{place.name}' elsewhere if it is no class",
            )
    pictures = [file for place in places for file in visible(place) if _is_picture(file)]
    sizes, modes, damaged = _headers(pictures, base)
    return PictureFolder(
        folder,
        tuple(normal(place.name) for place in classes),
        len(pictures),
        sizes,
        modes == {"L"},
        training,
        evaluation,
        tuple(
            f"{count:,} {'file' if count == 1 else 'files'} {ending}: not read" for ending, count in other.most_common()
        ),
        damaged,
    )


UNREAD = frozenset({".heic", ".heif", ".avif", ".jxl", ".raw", ".dng", ".cr2", ".nef", ".svg", ".psd"})
"""Endings of pictures that edgekit does not read."""


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and path.is_file()


def _ending(path: Path) -> str:
    return path.suffix.lower() or "without an ending"


def _counts(files: list[Path]) -> str:
    counts = Counter(map(_ending, files)).most_common(SHOWN)
    return ", ".join(f"{count:,} {ending}" for ending, count in counts)


def _headers(pictures: list[Path], base: Path) -> tuple[frozenset[tuple[int, int]], set[str], tuple[str, ...]]:
    """Sizes and modes of pictures by their headers, and the names of those that cannot be read."""
    sizes, modes, damaged = set(), set(), []
    for path in pictures[:: max(1, len(pictures) // MOST_HEADERS)]:
        try:
            height, width, mode = _header(path)
        except Exception:  # noqa: BLE001  # Pillow's decoders raise what they like
            damaged.append(path.relative_to(base).as_posix())
            continue
        sizes.add((height, width))
        modes.add(mode)
    return frozenset(sizes), modes, tuple(damaged)


def _header(path: Path) -> tuple[int, int, str]:
    import PIL.Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with PIL.Image.open(path, formats=FORMATS) as image:
            return image.height, image.width, "L" if image.mode in ("1", "L") else image.mode


def usual_size(sizes: Iterator[tuple[int, int]] | frozenset[tuple[int, int]]) -> tuple[int, int] | None:
    """Height and width that all pictures have; None if they differ."""
    distinct = set(sizes)
    return distinct.pop() if len(distinct) == 1 else None
