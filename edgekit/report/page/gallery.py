"""Gallery of the first flipped samples of a report, with their pictures where these were asked for."""

from __future__ import annotations

from collections.abc import Mapping

from edgekit.ir.plural import counted
from edgekit.parity.comparison import FlipExample
from edgekit.report.charts.elements import text
from edgekit.report.record import ReportRecord
from edgekit.report.sections.section import shown
from edgekit.report.supplement import Supplement


def gallery(report: ReportRecord, supplement: Supplement, heading: str) -> str:
    """Part of the page with the flipped samples; empty where there is none. heading: tag of its title."""
    examples = report.flips.examples
    if not examples:
        return ""
    flips = "".join(_flip(flip, supplement.thumbnails) for flip in examples)
    return (
        f"<{heading}>Samples that are answered otherwise</{heading}>\n<p>{_sentence(report)}</p>\n"
        f'<ul class="flips">\n{flips}</ul>\n{_more(supplement)}'
    )


def _sentence(report: ReportRecord) -> str:
    flips = report.flips
    count, all_flips = len(flips.examples), len(flips.samples)
    if report.reference.score is None:
        told = f"{all_flips:,} {'sample is' if all_flips == 1 else 'samples are'} answered otherwise"
    else:
        told = (
            f"{counted(flips.reference_only, 'sample')} only the reference answers better, "
            f"{counted(flips.candidate_only, 'sample')} only the candidate"
        )
    return f"{told}." if count == all_flips else f"{told}. The first {count} are here; flips.csv has all."


def _flip(flip: FlipExample, thumbnails: Mapping[int, str]) -> str:
    name = text(shown(flip.id or f"sample {flip.sample:,}"))
    picture = thumbnails.get(flip.sample)
    # The name below says which it is.
    drawn = f'<img src="data:image/png;base64,{picture}" alt="">' if picture else ""
    answers: list[tuple[str, str, float | None]] = []
    if flip.label is not None:
        answers.append(("label", flip.label, None))
    answers.append(("reference", flip.reference, flip.reference_margin))
    answers.append(("candidate", flip.candidate, flip.candidate_margin))
    told = "".join(f"<dt>{title}</dt><dd>{text(shown(words))}{_margin(ahead)}</dd>" for title, words, ahead in answers)
    return f"<li>{drawn}<b>{name}</b><dl>{told}</dl></li>\n"


def _margin(ahead: float | None) -> str:
    return "" if ahead is None else f" <small>ahead by {ahead:.3g}</small>"


def _more(supplement: Supplement) -> str:
    if supplement.thumbnails:
        return (
            '<p class="notes">These are samples of your data: look who may see them before you pass the page on.</p>\n'
        )
    project = supplement.project or ("--project", "DIR")
    command = Supplement(project=project).command("report", supplement.folder, "--format", "html")
    return f'<p class="notes">To see the samples themselves: <code>{text(shown(command))}</code></p>\n'
