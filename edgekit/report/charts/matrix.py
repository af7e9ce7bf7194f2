"""Confusion matrix as an HTML table, which is its own data table: shades for shares, marks for what changed."""

from __future__ import annotations

from edgekit.report.charts.elements import text
from edgekit.report.sections.charts import MatrixCell, MatrixChart


def matrix(chart: MatrixChart) -> str:
    """Draw the matrix: a row a label, a column an answer."""
    head = "".join(f'<th scope="col">{text(name)}</th>' for name in chart.names)
    rows = "".join(
        f'<tr><th scope="row">{text(name)}</th>{"".join(_cell(cell, i == j) for j, cell in enumerate(row))}</tr>\n'
        for i, (name, row) in enumerate(zip(chart.names, chart.rows, strict=True))
    )
    return (
        f"<figcaption>{text(chart.words)} The darker, the more of its row; ▲ more, ▼ fewer than the reference."
        '</figcaption>\n<div class="wide" role="group" tabindex="0" aria-label="Confusion matrix">'
        '<table class="matrix" aria-label="Confusion matrix">\n'
        f'<tr><th scope="col">label</th>{head}</tr>\n{rows}</table></div>\n'
    )


def _cell(cell: MatrixCell, right: bool) -> str:
    kind = f"{'right' if right else 'wrong'} s{cell.level}"
    if not cell.count and not cell.change:
        return f'<td class="{kind}"><span class="zero">·</span></td>'
    sign = "" if not cell.change else f"<small>{'▲' if cell.change > 0 else '▼'}{abs(cell.change):,}</small>"
    return f'<td class="{kind}">{cell.count:,}{sign}</td>'
