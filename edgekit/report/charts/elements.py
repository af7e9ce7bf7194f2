"""Pieces of HTML and SVG that charts and pages share: texts, images, places."""

from __future__ import annotations

from html import escape

from edgekit.untrusted.direction import by_direction, isolated


def text(words: str) -> str:
    """Escape `words` for HTML, with letters from right to left isolated."""
    return by_direction(words, escape, lambda run: f"<bdi>{escape(run)}</bdi>")


def plain(words: str) -> str:
    """Escape `words` for where HTML takes no element: attributes, titles, texts of SVG."""
    return escape(isolated(words))


def image(
    title: str, description: str, shapes: str, *, size: tuple[int, int] | None = None, kind: str = "chart"
) -> str:
    """SVG image that says in words what it shows.

    size: width and height of its own coordinates; None for one row of the full width, whose shapes have places in
    per cent. kind: class for the stylesheet.
    """
    box = f' viewBox="0 0 {size[0]} {size[1]}"' if size else ""
    told = f"<title>{plain(title)}</title>" + (f"<desc>{plain(description)}</desc>" if description else "")
    return f'<svg class="{kind}" role="img"{box}>{told}{shapes}</svg>'


def share(place: float) -> str:
    """Place of a shape in a row, in per cent."""
    return f"{100 * place:.2f}%"
