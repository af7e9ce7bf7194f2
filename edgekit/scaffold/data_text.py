"""Text of `data.py`: the loaders of a project's samples."""

from __future__ import annotations

from edgekit.datasets.pictures import SUFFIXES
from edgekit.scaffold.picture_folder import PictureFolder
from edgekit.scaffold.table_file import ArrayFile, CsvTable

EVERY = 5
"""One sample in so many calibrates; the others evaluate, and never both."""
SPLIT = '''

def calibration():
    """Every fifth sample: ranges of activations are found on them."""
    return {name}(SAMPLES[::EVERY])


def evaluation():
    """All others: the verdict is on these."""
    return {name}([sample for i, sample in enumerate(SAMPLES) if i % EVERY])
'''
PICTURES = '''"""Pictures and labels of this project."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

{constants}
EVERY = 5


class Pictures:
    """Map-style data set of (uint8 [height, width, {channels}], label)."""

    def __init__(self, samples):
        self.samples = samples
        self.labels = [label for _, label in samples]

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, i):
        path, label = self.samples[i]
        with Image.open(path) as picture:
            pixels = np.asarray(ImageOps.exif_transpose(picture).convert({mode!r}), np.uint8)
        return {pixels}, label

{samples}'''
OF_FOLDERS = """FOLDER = Path(__file__).parent / {folder!r}
CLASSES = {classes!r}
ENDINGS = {endings!r}
LEFT_OUT = {damaged!r}"""
LISTED_FOLDERS = """
SAMPLES = [
    (path, label)
    for label, name in enumerate({names})
    for path in sorted((FOLDER / name).iterdir())
    if path.suffix.lower() in ENDINGS and path.relative_to(FOLDER).as_posix() not in LEFT_OUT
]
"""
ROWS = '''"""Rows of the table and their labels."""

import csv
from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / {file!r}
FEATURES = {features!r}
LABEL = {label!r}
CLASSES = {classes!r}
EVERY = 5

with FILE.open(encoding="utf-8-sig", newline="") as table:
    SAMPLES = [
        (np.array([row[name] for name in FEATURES], np.float32), {value})
        for row in csv.DictReader(table, delimiter={delimiter!r})
    ]


class Rows(list):
    """Map-style data set of (float32 [{count}], label)."""
'''
ROWS_OF_PICTURES = """
with FILE.open(encoding="utf-8-sig", newline="") as table:
    SAMPLES = [(FILE.parent / row[PATH], {value}) for row in csv.DictReader(table, delimiter={delimiter!r})]
"""
ARRAYS = '''"""Arrays of the archive and their labels."""

from pathlib import Path

import numpy as np

FILE = Path(__file__).parent / {file!r}
INPUTS = {inputs!r}
LABELS = {labels!r}
{classes}EVERY = 5


class Arrays:
    """Map-style data set of ({{name: array}}, label)."""

    def __init__(self, inputs, labels):
        self.inputs, self.labels = inputs, labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return {{name: array[i] for name, array in self.inputs.items()}}, self.labels[i]


def _arrays(inputs, labels, rows):
    with np.load(FILE, allow_pickle=False) as archive:
        return Arrays({{name: {cast} for name, array in inputs.items()}}, archive[labels][rows])

'''
SPLIT_ARRAYS = '''
def calibration():
    """Every fifth sample: ranges of activations are found on them."""
    return _arrays(INPUTS, LABELS, slice(None, None, EVERY))


def evaluation():
    """All others: the verdict is on these."""
    with np.load(FILE, allow_pickle=False) as archive:
        count = len(archive[LABELS])
    return _arrays(INPUTS, LABELS, [i for i in range(count) if i % EVERY])
'''
STATED_ARRAYS = '''
def calibration():
    """Training samples: ranges of activations are found on them."""
    return _arrays({training!r}, {labels!r}, slice(None, 1000))


def evaluation():
    """Test samples: the verdict is on these."""
    return _arrays(INPUTS, LABELS, slice(None))
'''


def of_pictures(data: PictureFolder, folder: str, channels: int) -> str:
    """Write the loaders of a folder of pictures. folder: its path from the project's."""
    constants = OF_FOLDERS.format(
        folder=folder, classes=data.classes, endings=tuple(sorted(SUFFIXES)), damaged=data.damaged
    )
    listed = LISTED_FOLDERS.format(names="CLASSES" if data.classes else '["."]')
    return _pictures(constants, listed, channels)


def of_rows(data: CsvTable, file: str, channels: int) -> str:
    """Write the loaders of a CSV file of numbers, or of paths of pictures."""
    value = "CLASSES.index(row[LABEL])" if data.classes else "np.array([float(row[LABEL])], np.float64)"
    if not data.pictures:
        text = ROWS.format(
            file=file,
            features=data.features,
            label=data.label,
            classes=data.classes,
            value=value,
            delimiter=data.delimiter,
            count=len(data.features),
        )
        return text + SPLIT.format(name="Rows")
    constants = "\n".join(
        (
            f"FILE = Path(__file__).parent / {file!r}",
            f"PATH, LABEL = {data.features[0]!r}, {data.label!r}",
            f"CLASSES = {data.classes!r}",
        )
    )
    text = _pictures(constants, ROWS_OF_PICTURES.format(value=value, delimiter=data.delimiter), channels)
    return text.replace("from pathlib import Path", "import csv\nfrom pathlib import Path", 1)


def of_arrays(data: ArrayFile, file: str, names: dict[str, str], dtypes: dict[str, str]) -> str:
    """Write the loaders of an `.npz`. names, dtypes: array, and dtype of the samples, by the model's input."""
    cast = {name: dtype for name, dtype in dtypes.items() if dtype}
    text = ARRAYS.format(
        file=file,
        inputs=names,
        labels=data.labels,
        classes=f"CLASSES = {data.classes!r}\n" if data.classes else "",
        cast=f"archive[array][rows].astype({cast!r}[name])" if cast else "archive[array][rows]",
    )
    if not data.training:
        return text + SPLIT_ARRAYS
    training = dict(zip(names, data.training[:-1], strict=True))
    return text + STATED_ARRAYS.format(training=training, labels=data.training[-1])


def _pictures(constants: str, samples: str, channels: int) -> str:
    text = PICTURES.format(
        constants=constants,
        channels=channels,
        mode="RGB" if channels == 3 else "L",
        pixels="pixels" if channels == 3 else "pixels[..., None]",
        samples=samples,
    )
    return text + SPLIT.format(name="Pictures")
