"""Output of a build or a run → its flipped samples as CSV, as Parquet, or as a gallery of the samples themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edgekit.atomic import replacing, stored, write
from edgekit.errors import DataError, MissingExtra
from edgekit.errors.extras import extra_hint
from edgekit.ir.measurement import Array
from edgekit.measure import store
from edgekit.parity.slices.properties import channel_axis
from edgekit.pipeline.verdict import FLIPS
from edgekit.report.forms import flips_csv, flips_gallery
from edgekit.report.page.thumbnail import thumbnail
from edgekit.report.report import Report
from edgekit.samples import Samples, load_samples
from edgekit.specs.inputs import Input
from edgekit.specs.project import Project

PARQUET, GALLERY = "flips.parquet", "flips.html"
AGAIN = "edgekit build and edgekit run leave one in --out: build again"


def flips_text(folder: Path) -> str:
    """CSV of the flipped samples that a build or a run left in `folder`. Raises DataError if there is none."""
    path = folder / FLIPS
    try:
        return path.read_text("utf-8")
    except FileNotFoundError as error:
        raise DataError(f"there is no '{FLIPS}' in '{folder}'", hint=AGAIN) from error
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"'{path}' cannot be read: {error}", hint=AGAIN) from error


def write_parquet(folder: Path) -> Path:
    """Write `flips.parquet` beside the report, and give its path. Raises DataError, MissingExtra without pyarrow."""
    rows = _rows(folder)
    try:
        import pyarrow
        from pyarrow import parquet
    except ModuleNotFoundError as error:
        hint = f"{extra_hint('parquet')}, or --flips csv"
        raise MissingExtra("writing Parquet needs pyarrow", hint=hint) from error
    kinds = {name: pyarrow.float64() for name in flips_csv.NUMBERS} | {"sample": pyarrow.int64()}
    schema = pyarrow.schema([(name, kinds.get(name, pyarrow.string())) for name in flips_csv.COLUMNS])
    path = folder / PARQUET
    with stored(path), replacing(path) as file:
        parquet.write_table(pyarrow.Table.from_pylist(rows, schema), file)
    return path


def write_gallery(folder: Path, report: Report, project: Project) -> Path:
    """Write `flips.html` beside the report: the flipped samples of the project's evaluation set. Gives its path.

    Raises DataError if that set has other samples by now, or is not the one that was measured.
    """
    rows = _rows(folder)
    samples = _samples(folder, report, project)
    pictures = _pictures(samples, [row["sample"] for row in rows[: flips_gallery.MOST]], project.inputs)
    write(folder / GALLERY, flips_gallery.render(report.sentence, rows, pictures).encode())
    return folder / GALLERY


def thumbnails(folder: Path, report: Report, project: Project) -> dict[int, str]:
    """Pictures of the flipped samples that a report tells in words, PNG in base64, by the index of the sample.

    None where no input is of pixels. Raises DataError if the project's evaluation set is not the one of the report.
    """
    indices = [flip.sample for flip in report.flips.examples]
    pictures = _pictures(_samples(folder, report, project), indices, project.inputs)
    return {i: thumbnail(pixels) for i, pixels in pictures.items()}


def _samples(folder: Path, report: Report, project: Project) -> Samples:
    """Evaluation samples that the report in `folder` is about. Raises DataError if the project has others by now."""
    sampling = report.sampling
    limit = sampling.taken if sampling and sampling.taken < sampling.total else None
    samples = load_samples(project, "evaluation", limit)
    if samples.digest != store.load(folder / "reference").samples_digest:
        raise DataError(
            f"the evaluation data of '{project.name}' are not those that '{folder}' measured",
            hint="name the project of that build (--project DIR), or build again",
        )
    return samples


def _rows(folder: Path) -> list[dict[str, Any]]:
    try:
        return flips_csv.read(flips_text(folder))
    except ValueError as error:
        raise DataError(f"'{folder / FLIPS}' is no table of flipped samples: {error}", hint=AGAIN) from error


def _pictures(samples: Samples, indices: Sequence[int], inputs: Mapping[str, Input]) -> dict[int, Array]:
    """Pixels uint8 [height, width, 1 or 3] of the samples at `indices`; none where no input is of pixels."""
    for name, spec in inputs.items():
        axis = channel_axis(spec)
        if axis is not None and samples.length is None:
            return {i: _pixels(np.moveaxis(samples.inputs[name][i], axis, -1)) for i in indices}
    return {}


def _pixels(picture: Array) -> Array:
    """Pixels of a picture [height, width, channels]; reals from their least value to their greatest."""
    if picture.shape[-1] not in (1, 3):
        picture = picture[..., :1]
    if picture.dtype == np.uint8:
        return picture
    wide = picture.astype(np.float64)
    return np.asarray(np.round(255 * (wide - wide.min()) / (np.ptp(wide) or 1.0)).astype(np.uint8))
