"""Ablation: what each step of a profile buys and costs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from edgekit.api.build_session import OUT, one_request
from edgekit.api.progress import Progress, opened_cache, watched
from edgekit.atomic import write
from edgekit.parity.ablation import Ablation
from edgekit.pipeline.ablation import AblationSession, Keep
from edgekit.pipeline.request import BuildRequest
from edgekit.pipeline.run import Trial
from edgekit.pipeline.stages.stage_runner import StageRunner
from edgekit.report.forms.table import TABLE_FORMS
from edgekit.report.sections.ablation import ablation_section
from edgekit.specs.project import Project

NAME = "ablation"
"""Name of the files that hold an ablation, before their endings."""


def ablate(
    project: Project,
    target: str,
    *,
    backend: str | None = None,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    device: str | None = None,
    out: Path | str | None = None,
    samples: int | None = None,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Ablation:
    """Take the steps of a profile out one at a time, and say what each buys and costs in accuracy, size and work.

    Args:
        project, target, backend, profile, overrides, samples, cache, progress: as `build` takes them.
        device: where instructions are counted (`emulated`), or times taken; by default the file tells the work.
        out: folder that the table is written to after every row, as `ablation.json` and `ablation.md`; by default none.

    Returns:
        Ablation: `whole`, and `rows`, each with its `cost` and its effect on `accuracy`, or the `reason` for neither.

    Raises:
        EdgekitError: of a stage of the whole recipe, or that the profile has no step. A step without which nothing can
        be built is a row with the reason.

    >>> table = ablate(project, "host", backend="onnx", profile="float16", samples=64)
    >>> [row.step for row in table.rows]
    ['quantization']
    """
    request = one_request(project, target, backend, profile, overrides)
    trial = Trial(device) if device else None
    session = AblationSession(request, StageRunner(opened_cache(cache), watched(progress)), trial, samples)
    return session.ablate(kept_in(Path(out)) if out else lambda ablation: None)


def default_folder(request: BuildRequest) -> Path:
    """Folder of the ablation of a request, where a person names none."""
    return OUT / f"{request.name}-{NAME}"


def kept_in(folder: Path) -> Keep:
    """Function that writes an ablation into a folder, as JSON and Markdown, each file whole. Raises StorageError."""

    def keep(ablation: Ablation) -> None:
        write(folder / f"{NAME}.json", to_json(ablation).encode())
        write(folder / f"{NAME}.md", TABLE_FORMS["md"](ablation_section(ablation)).encode())

    return keep


def to_json(ablation: Ablation) -> str:
    """Document that `ablation.json` and `--json` hold."""
    return ablation.model_dump_json(by_alias=True, indent=2) + "\n"
