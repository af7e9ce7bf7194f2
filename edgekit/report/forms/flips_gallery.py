"""Gallery of the flipped samples as one HTML page: their pictures, labels and both answers; of other samples a table.

It holds pictures of the user's data: nothing writes it unless it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from edgekit.ir.measurement import Array
from edgekit.ir.plural import counted
from edgekit.report.charts.elements import text
from edgekit.report.page.document import document
from edgekit.report.page.thumbnail import thumbnail
from edgekit.untrusted.sanitize import MAX_WORDS, line

MOST = 200
"""Samples that a page shows: at 5 KB a picture it stays within a megabyte or two."""
WORDS = {
    "lost": "right only in the reference",
    "gained": "right only in the candidate",
    "changed": "answered otherwise",
}
_STYLE = """
:root { color-scheme: light dark; --line: #8884 }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem }
.flips { display: grid; grid-template-columns: repeat(auto-fill, minmax(14rem, 1fr)); gap: 1rem }
figure { margin: 0; padding: .6rem; border: 1px solid var(--line); overflow-wrap: anywhere }
img { max-width: 100%; min-width: 6rem; image-rendering: pixelated }
"""


def render(title: str, flips: Sequence[Mapping[str, Any]], pictures: Mapping[int, Array]) -> str:
    """Page of the first MOST flips. flips: rows as `flips_csv.read` gives them.

    pictures: pixels uint8 [height, width, 1 or 3] by the index of the sample; samples without one are told in words.
    """
    shown = flips[:MOST]
    left = f" The first {MOST} are shown; flips.csv has all." if len(flips) > MOST else ""
    verb = "is" if len(flips) == 1 else "are"
    figures = "".join(_figure(flip, pictures.get(flip["sample"])) for flip in shown)
    body = (
        f"<h1>{_text(title)}</h1>\n<p>{counted(len(flips), 'sample')} {verb} answered otherwise.{left} "
        "This page holds samples of your data: look who may see it before you pass it on.</p>\n"
        f'<div class="flips">\n{figures}</div>\n'
    )
    return document("edgekit: flips", _STYLE, body)


def _figure(flip: Mapping[str, Any], pixels: Array | None) -> str:
    name = _text(flip["id"] or f"sample {flip['sample']}")
    # The name below says which it is.
    drawn = f'<img src="data:image/png;base64,{thumbnail(pixels)}" alt="">' if pixels is not None else ""
    label = f"label: {_text(flip['label'])}<br>" if flip["label"] else ""
    answers = "<br>".join(
        f"{side}: {_text(flip[side] or '')}{_margin(flip[f'{side}_margin'])}" for side in ("reference", "candidate")
    )
    caption = f"{name}<br><b>{WORDS.get(flip['change'], 'answered otherwise')}</b><br>{label}{answers}"
    return f"<figure>{drawn}<figcaption>{caption}</figcaption></figure>\n"


def _margin(margin: float | None) -> str:
    return "" if margin is None else f" (ahead by {margin:.3g})"


def _text(words: str) -> str:
    return text(line(words, MAX_WORDS))
