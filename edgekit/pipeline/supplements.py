"""Folder of a report → what its page shows beside the record: layers, and thumbnails where they are asked for."""

from __future__ import annotations

from pathlib import Path

from edgekit.errors import DataError
from edgekit.pipeline.flips import thumbnails
from edgekit.report.layer_table import LAYERS, LayerTable
from edgekit.report.report import Report
from edgekit.report.supplement import Supplement
from edgekit.specs.project import Project


def supplement(
    folder: Path, report: Report, options: tuple[str, ...] = (), project: Project | None = None
) -> Supplement:
    """Supplement of the report in `folder`.

    options: as the user names the project, such as `--example digits`. project: the project itself, where pictures of
    its samples are to be shown. Raises DataError if a file in the folder is damaged, or the project has other samples.
    """
    pictures = thumbnails(folder, report, project) if project and report.flips.examples else {}
    return Supplement(str(folder), options, _layers(folder / LAYERS, report), pictures)


def _layers(path: Path, report: Report) -> LayerTable | None:
    """Layers in a file beside the report; None if there is none, or if it is of another bundle."""
    if report.bundle is None or not path.is_file():
        return None
    try:
        table = LayerTable.from_json(path.read_text("utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"'{path}' cannot be read: {error}", hint="edgekit diagnose DIR writes it anew") from error
    return table if table.bundle == report.bundle.digest else None
